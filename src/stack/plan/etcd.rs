//! etcd.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Args, File, Process, env, local, pairs};
use crate::stack::keys::EtcdKeys;
use crate::stack::part::Part;
use crate::stack::probe::Probe;
use crate::stack::programs::Programs;

/// Where it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtcdPorts {
    /// For API servers.
    pub client: u16,
    /// For members, of which there is one.
    pub peer: u16,
    /// For health and metrics, without a certificate.
    pub metrics: u16,
}

/// What becomes of its data when the machine fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It may be lost: nobody waits for the disk.
    ThrownAway,
    /// It is on disk.
    Kept,
}

/// One etcd of one member.
#[derive(Debug, Clone, Copy)]
pub struct Etcd<'a> {
    /// Everything of it is below: data in `etcd`, certificates in `pki`.
    pub dir: &'a Path,
    /// Where it listens.
    pub ports: EtcdPorts,
    /// Its program.
    pub programs: &'a Programs,
    /// What becomes of its data.
    pub durability: Durability,
}

/// How API servers reach an etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdAt {
    /// As in `https://127.0.0.1:4711`.
    pub address: String,
    /// The directory of its authority and of the certificate for clients.
    pub pki: PathBuf,
}

impl EtcdAt {
    /// Who vouches for it.
    pub fn authority(&self) -> PathBuf {
        self.pki.join("etcd-ca.crt")
    }

    /// The certificate of clients.
    pub fn certificate(&self) -> PathBuf {
        self.pki.join("etcd-client.crt")
    }

    /// Its key.
    pub fn key(&self) -> PathBuf {
        self.pki.join("etcd-client.key")
    }
}

/// Its certificates.
pub fn files(keys: &EtcdKeys) -> Vec<File> {
    let mut files = vec![File::new("pki/etcd-ca.crt", &keys.authority)];
    files.extend(pairs(&[("etcd", &keys.server), ("etcd-client", &keys.client)]));
    files
}

impl Etcd<'_> {
    /// How it is reached.
    pub fn at(&self) -> EtcdAt {
        EtcdAt { address: format!("https://{}", local(self.ports.client)), pki: self.dir.join("pki") }
    }

    /// Its process.
    pub fn process(&self) -> Process {
        let (client, peer) = (self.at().address, format!("https://{}", local(self.ports.peer)));
        let metrics = format!("http://{}", local(self.ports.metrics));
        let path = |below: &str| self.dir.join(below);
        let careless: &[&str] = match self.durability {
            Durability::ThrownAway => &["--unsafe-no-fsync"],
            Durability::Kept => &[],
        };
        let args = Args::new(&[careless, &["--client-cert-auth", "--peer-client-cert-auth"]].concat())
            .flag("name", "only")
            .flag("data-dir", path("etcd"))
            .flag("listen-client-urls", &client)
            .flag("advertise-client-urls", &client)
            .flag("listen-peer-urls", &peer)
            .flag("initial-advertise-peer-urls", &peer)
            .flag("initial-cluster", format!("only={peer}"))
            .flag("listen-metrics-urls", &metrics)
            .flag("cert-file", path("pki/etcd.crt"))
            .flag("key-file", path("pki/etcd.key"))
            .flag("trusted-ca-file", path("pki/etcd-ca.crt"))
            .flag("peer-cert-file", path("pki/etcd.crt"))
            .flag("peer-key-file", path("pki/etcd.key"))
            .flag("peer-trusted-ca-file", path("pki/etcd-ca.crt"))
            .flag("log-level", "warn");
        Process {
            part: Part::Etcd,
            program: self.programs.etcd.join("etcd"),
            args: args.0,
            env: env(self.dir, self.programs, "tmp"),
            ready: Probe::Http(format!("{metrics}/readyz")),
            within: Duration::from_secs(30),
            address: client,
        }
    }
}
