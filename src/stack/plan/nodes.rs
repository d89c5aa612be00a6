//! What makes the pods of a control plane ready though nothing runs them: a scheduler, and a node that kwok plays.

use std::time::Duration;

use serde_json::{Value, json};

use super::plane::Plane;
use super::{Args, Process, local};
use crate::stack::part::Part;
use crate::stack::probe::Probe;

/// The node's.
pub const NAME: &str = "simulated";

impl Plane<'_> {
    /// Gives pods a node.
    pub fn scheduler(&self, port: u16) -> Process {
        self.controller(Part::KubeScheduler, port, self.controller_args(port))
    }

    /// Plays every node that there is.
    pub fn kwok(&self, port: u16) -> Process {
        let address = local(port);
        let args = Args::new(&[])
            .flag("kubeconfig", self.kubeconfig())
            .flag("config", self.programs.kwok.join("stages.yaml"))
            .flag("manage-all-nodes", "true")
            .flag("server-address", &address)
            .flag("node-lease-duration-seconds", "40");
        Process {
            part: Part::Kwok,
            program: self.programs.kwok.join("kwok"),
            args: args.0,
            env: self.env(),
            ready: Probe::Http(format!("http://{address}/healthz")),
            within: Duration::from_secs(60),
            address: format!("http://{address}"),
        }
    }
}

/// One node is enough: it is as large as kwok likes to say.
pub fn node() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NAME,
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": NAME,
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
