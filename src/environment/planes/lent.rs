//! A control plane that somebody uses.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::pool::Id;
use super::{Inner, PlanesError, Running, held};
use crate::stack::process::Identity;

/// A control plane in use: it is not parked as long as this is held.
pub struct Plane {
    inner: Arc<Inner>,
    id: Id,
    access: Access,
    processes: Vec<Identity>,
}

/// How it is reached, as its administrator.
#[derive(Default)]
struct Access {
    kubeconfig: String,
    server: String,
    authority: String,
    certificate: String,
    key: String,
}

impl Plane {
    /// One that the pool says is in use.
    pub(super) fn using(inner: Arc<Inner>, id: Id) -> Self {
        Self { inner, id, access: Access::default(), processes: Vec::new() }
    }

    /// It is started.
    pub(super) fn runs(&mut self, running: Running) -> Result<(), PlanesError> {
        let access = Access::read(&running.kubeconfig);
        self.access =
            access.map_err(|error| PlanesError::io("read a kubeconfig", &self.inner.home(&self.id), error))?;
        self.processes = running.processes;
        Ok(())
    }

    /// The kubeconfig of its administrator, with all that is needed inside.
    pub fn kubeconfig(&self) -> &str {
        &self.access.kubeconfig
    }

    /// The address of its API server, as in `https://127.0.0.1:4711`.
    pub fn server(&self) -> &str {
        &self.access.server
    }

    /// The Secret that makes it known to an Argo CD in the namespace `argocd` as the cluster of this name. The Secret of a
    /// name is always called the same.
    pub fn cluster_secret(&self, name: &str) -> Value {
        self.access.cluster_secret(name)
    }

    /// The memory that its processes hold now, in MiB, where the system says so.
    pub fn memory(&self) -> Option<u64> {
        self.processes.iter().map(Identity::memory).sum()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        held(&self.inner.pool).let_go(&self.id);
    }
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane").field("id", &self.id).field("server", &self.access.server).finish_non_exhaustive()
    }
}

impl Access {
    fn read(kubeconfig: &str) -> std::io::Result<Self> {
        let value: Value = serde_json::from_str(kubeconfig)?;
        let text = |pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| std::io::Error::other(format!("nothing at {pointer}")))
        };
        Ok(Self {
            server: text("/clusters/0/cluster/server")?,
            authority: text("/clusters/0/cluster/certificate-authority-data")?,
            certificate: text("/users/0/user/client-certificate-data")?,
            key: text("/users/0/user/client-key-data")?,
            kubeconfig: kubeconfig.to_owned(),
        })
    }

    fn cluster_secret(&self, name: &str) -> Value {
        let config = json!({"tlsClientConfig": {
            "caData": self.authority,
            "certData": self.certificate,
            "keyData": self.key,
        }});
        let hash = hex::encode(Sha256::digest(name));
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                // Names of clusters are free text, names of objects are not.
                "name": format!("cluster-{}", &hash[..16]),
                "namespace": "argocd",
                "labels": {"argocd.argoproj.io/secret-type": "cluster"},
            },
            "data": {
                "name": STANDARD.encode(name),
                "server": STANDARD.encode(&self.server),
                "config": STANDARD.encode(config.to_string()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::keys::Keys;
    use crate::stack::plan::plane;

    #[test]
    fn argo_cd_is_told_the_address_and_the_administrator_of_the_plane() {
        let keys = Keys::fake().plane;
        let kubeconfig = plane::kubeconfig(&keys, "https://127.0.0.1:4711", "one", "default").to_string();
        let access = Access::read(&kubeconfig).unwrap();
        let secret = access.cluster_secret("Ada's plane");
        let data =
            |key: &str| String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()).unwrap();
        assert_eq!((data("name").as_str(), data("server").as_str()), ("Ada's plane", "https://127.0.0.1:4711"));
        let config: Value = serde_json::from_str(&data("config")).unwrap();
        let tls = |key: &str| STANDARD.decode(config["tlsClientConfig"][key].as_str().unwrap()).unwrap();
        assert_eq!(tls("caData"), b"ca");
        assert_eq!(tls("certData"), b"admin.crt");
        assert_eq!(tls("keyData"), b"SECRET admin.key");
        assert_eq!(secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"], "cluster");
    }

    #[test]
    fn the_secret_of_a_name_is_always_called_the_same_and_that_of_another_otherwise() {
        let name = |text: &str| Access::default().cluster_secret(text)["metadata"]["name"].clone();
        assert_eq!(name("ada"), name("ada"));
        assert_ne!(name("ada"), name("bob"));
    }
}
