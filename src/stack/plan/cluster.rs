//! The cluster of a stack: etcd, control plane, and nodes that are played.

use super::etcd::{self, Durability, Etcd, EtcdAt};
use super::plane::{self, Plane};
use super::{Args, Failing, File, Site, Step, nodes};
use crate::stack::part::Part;

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
        files.push(File::new("node.json", &nodes::node().to_string()));
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

/// Its node.
pub fn node(site: &Site) -> Step {
    let args = Args::new(&["apply", "--server-side"]).flag("filename", site.path("node.json"));
    site.kubectl("the simulated node", args, Failing::Final)
}
