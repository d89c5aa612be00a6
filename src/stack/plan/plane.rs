//! A control plane: one API server with its controllers, below a prefix of its own in an etcd that others may use too.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

use super::etcd::EtcdAt;
use super::{Args, File, Process, env, local, pairs};
use crate::stack::keys::PlaneKeys;
use crate::stack::part::Part;
use crate::stack::probe::Probe;
use crate::stack::programs::Programs;

/// One control plane.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// Everything of it but what etcd keeps is below.
    pub dir: &'a Path,
    /// Where it keeps what it knows.
    pub etcd: &'a EtcdAt,
    /// Below which all its keys in etcd are, as in `/main`.
    pub prefix: &'a str,
    /// The port of the API server.
    pub api: u16,
    /// The port of the controller manager.
    pub controllers: u16,
    /// Its programs.
    pub programs: &'a Programs,
}

/// The address of an API server at this port.
pub fn address(port: u16) -> String {
    format!("https://{}", local(port))
}

/// Its certificates.
pub fn files(keys: &PlaneKeys) -> Vec<File> {
    let mut files = vec![File::new("pki/ca.crt", &keys.authority)];
    files.extend(pairs(&[("server", &keys.server), ("accounts", &keys.accounts)]));
    files
}

/// JSON is YAML. With all it needs inside, so that it may be copied.
pub fn kubeconfig(keys: &PlaneKeys, server: &str, name: &str, namespace: &str) -> Value {
    let data = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {
            "server": server,
            "certificate-authority-data": data(&keys.authority),
        }}],
        "users": [{"name": name, "user": {
            "client-certificate-data": data(&keys.admin.certificate),
            "client-key-data": data(&keys.admin.key),
        }}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
    })
}

impl Plane<'_> {
    fn path(&self, below: &str) -> PathBuf {
        self.dir.join(below)
    }

    /// Of every process.
    pub(super) fn env(&self) -> Vec<(&'static str, OsString)> {
        env(self.dir, self.programs, "tmp")
    }

    /// The administrator's.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    /// The API server.
    pub fn apiserver(&self) -> Process {
        let args = Args::new(&[])
            .flag("etcd-servers", &self.etcd.address)
            .flag("etcd-cafile", self.etcd.authority())
            .flag("etcd-certfile", self.etcd.certificate())
            .flag("etcd-keyfile", self.etcd.key())
            .flag("etcd-prefix", self.prefix)
            .flag("bind-address", "127.0.0.1")
            .flag("secure-port", self.api.to_string())
            .flag("tls-cert-file", self.path("pki/server.crt"))
            .flag("tls-private-key-file", self.path("pki/server.key"))
            .flag("client-ca-file", self.path("pki/ca.crt"))
            .flag("service-account-issuer", "https://kubernetes.default.svc")
            .flag("service-account-key-file", self.path("pki/accounts.crt"))
            .flag("service-account-signing-key-file", self.path("pki/accounts.key"))
            .flag("authorization-mode", "Node,RBAC")
            .flag("service-cluster-ip-range", "10.0.0.0/24")
            // Else it asks for a default route, which a laptop without network has not.
            .flag("advertise-address", "127.0.0.1")
            // Nobody reaches it by its Service, whose endpoint could not be loopback.
            .flag("endpoint-reconciler-type", "none")
            .flag("enable-priority-and-fairness", "false")
            // As kubeadm has it: whether a privileged pod may be is Pod Security's matter.
            .flag("allow-privileged", "true")
            .flag("profiling", "false");
        let mut env = self.env();
        // A third less memory for a little more work: a laptop has other things to hold.
        env.push(("GOGC", "40".into()));
        Process {
            part: Part::KubeApiserver,
            program: self.programs.kubernetes.join("kube-apiserver"),
            args: args.0,
            env,
            ready: self.probe(self.api, "/readyz"),
            within: Duration::from_secs(90),
            address: address(self.api),
        }
    }

    /// Service accounts, quotas, Deployments, garbage collection.
    pub fn controller_manager(&self) -> Process {
        let args = self
            .controller_args(self.controllers)
            .flag("use-service-account-credentials", "true")
            .flag("service-account-private-key-file", self.path("pki/accounts.key"))
            .flag("root-ca-file", self.path("pki/ca.crt"));
        self.controller(Part::KubeControllerManager, self.controllers, args)
    }

    pub(super) fn controller_args(&self, port: u16) -> Args {
        Args::new(&[])
            .flag("kubeconfig", self.kubeconfig())
            .flag("authentication-kubeconfig", self.kubeconfig())
            .flag("authorization-kubeconfig", self.kubeconfig())
            .flag("leader-elect", "false")
            .flag("bind-address", "127.0.0.1")
            .flag("secure-port", port.to_string())
            .flag("tls-cert-file", self.path("pki/server.crt"))
            .flag("tls-private-key-file", self.path("pki/server.key"))
            .flag("profiling", "false")
    }

    pub(super) fn controller(&self, part: Part, port: u16, args: Args) -> Process {
        Process {
            part,
            program: self.programs.kubernetes.join(part.as_str()),
            args: args.0,
            env: self.env(),
            ready: self.probe(port, "/healthz"),
            within: Duration::from_secs(60),
            address: address(port),
        }
    }

    fn probe(&self, port: u16, path: &str) -> Probe {
        Probe::Https { url: format!("{}{path}", address(port)), authority: self.path("pki/ca.crt") }
    }
}
