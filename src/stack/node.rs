//! The simulated node of a control plane, as its administrator sees to it.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::plan::nodes::{NAME, node};
use super::probe::{Own, Unwell, ask_as, client};

/// Where a node says that it lives, and who speaks for it.
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

const NODES: &str = "/api/v1/nodes";

/// The administrator of a control plane.
pub struct Admin<'a> {
    server: String,
    /// Who vouches for the API server.
    authority: &'a Path,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl<'a> Admin<'a> {
    /// The one of this kubeconfig.
    pub fn of(kubeconfig: &str, authority: &'a Path) -> io::Result<Self> {
        let kubeconfig: Value = serde_json::from_str(kubeconfig)?;
        let text = |pointer: &str| kubeconfig.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let pem = |field: &str| STANDARD.decode(text(&format!("/users/0/user/{field}"))).map_err(io::Error::other);
        let (certificate, key) = (pem("client-certificate-data")?, pem("client-key-data")?);
        Ok(Self { server: text("/clusters/0/cluster/server").to_owned(), authority, certificate, key })
    }

    /// Makes sure that there is a node. One that is there is left alone: admission policies of whoever uses it have no say then.
    pub fn ensure_node(&self) -> Result<(), Unwell> {
        match self.ask("GET", &format!("{NODES}/{NAME}"), None)? {
            (200, _) => return Ok(()),
            (404, _) => {}
            (_, says) => return Err(Unwell::Says(says)),
        }
        match self.ask("POST", NODES, Some(&node()))? {
            (201 | 409, _) => Ok(()),
            (_, says) => Err(Unwell::Says(says)),
        }
    }

    /// Forgets which kwok spoke for the node: one that was ended says nothing of it, and the next one would wait until the
    /// lease is over before it plays anything.
    pub fn release_node(&self) -> Result<(), Unwell> {
        match self.ask("DELETE", &format!("{LEASES}/{NAME}"), None)? {
            (200 | 404, _) => Ok(()),
            (_, says) => Err(Unwell::Says(says)),
        }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String), Unwell> {
        let own = Own::of_pem(&self.certificate, &self.key)?;
        let (status, said) =
            ask_as(client(self.authority, Some(own))?, method, &format!("{}{path}", self.server), body)?;
        Ok((status, said.trim().to_owned()))
    }
}
