//! The cluster of a stack: etcd, control plane, and nodes that are played.

use std::time::Duration;

use serde_json::{Value, json};

use super::etcd::{self, Durability, Etcd, EtcdAt};
use super::plane::{self, Plane};
use super::{Args, Failing, File, Process, Site, Step, local};
use crate::stack::part::Part;
use crate::stack::probe::Probe;

/// Where the API server keeps what it knows: nobody else is in the etcd of a stack.
const PREFIX: &str = "/main";

pub fn address(site: &Site) -> String {
    plane::address(site.ports.api)
}

/// Keys, certificates, the kubeconfig, the node.
pub fn files(site: &Site) -> Vec<File> {
    let mut files = plane::files(&site.keys.plane);
    files.extend(etcd::files(&site.keys.etcd));
    // Argo CD looks for its own objects in the namespace of its context.
    let name = format!("gradus-{}", site.spec.name);
    let kubeconfig = plane::kubeconfig(&site.keys.plane, &address(site), &name, "argocd");
    files.push(File::new("kubeconfig", &format!("{kubeconfig:#}\n")));
    if site.spec.has(Part::Kwok) {
        files.push(File::new("node.json", &node_object().to_string()));
    }
    files
}

/// Nothing of a stack outlives it.
pub fn etcd<'a>(site: &'a Site) -> Etcd<'a> {
    Etcd { dir: &site.dir, ports: site.ports.etcd, programs: site.programs, durability: Durability::ThrownAway }
}

pub fn control_plane<'a>(site: &'a Site, etcd: &'a EtcdAt) -> Plane<'a> {
    Plane {
        dir: &site.dir,
        etcd,
        prefix: PREFIX,
        api: site.ports.api,
        controllers: site.ports.controllers,
        programs: site.programs,
    }
}

pub fn kwok(site: &Site) -> Process {
    let address = local(site.ports.kwok);
    let args = Args::new(&[])
        .flag("kubeconfig", site.kubeconfig())
        .flag("config", site.programs.kwok.join("stages.yaml"))
        .flag("manage-all-nodes", "true")
        .flag("server-address", &address)
        .flag("node-lease-duration-seconds", "40");
    Process {
        part: Part::Kwok,
        program: site.programs.kwok.join("kwok"),
        args: args.0,
        env: site.env("tmp"),
        ready: Probe::Http(format!("http://{address}/healthz")),
        within: Duration::from_secs(60),
        address: format!("http://{address}"),
    }
}

/// One node is enough: it is as large as kwok likes to say.
pub fn node(site: &Site) -> Step {
    let args = Args::new(&["apply", "--server-side"]).flag("filename", site.path("node.json"));
    site.kubectl("the simulated node", args, Failing::Final)
}

fn node_object() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "simulated",
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": "simulated",
                "kubernetes.io/os": "linux",
                "type": "kwok",
            },
        },
        "status": {
            "allocatable": {"cpu": "32", "memory": "256Gi", "pods": "1000"},
            "capacity": {"cpu": "32", "memory": "256Gi", "pods": "1000"},
        },
    })
}
