//! Clients of API servers, by kubeconfig or as the Pod that we run in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderValue, Request};
use kube::Client;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// An API server that takes longer to be reached is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// One that says nothing for so long will not; a watch begins anew then.
const READ: Duration = Duration::from_secs(60);

/// An API server cannot be spoken to as configured.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig of a file.
    #[error("cannot use the kubeconfig {}: {source}; `kubectl --kubeconfig` tells whether it works", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<kube::config::KubeconfigError>,
    },
    /// A kubeconfig of our own making.
    #[error("cannot use the kubeconfig of a control plane: {0}")]
    Text(Box<kube::config::KubeconfigError>),
    /// There is none, and we run in no cluster.
    #[error("this is no Pod with an account: name a `kubeconfig` below `argocd` ({0})")]
    NotInside(Box<kube::config::InClusterError>),
    /// The caller has no kubeconfig.
    #[error("no cluster is known: set KUBECONFIG or name a file with `--kubeconfig` ({0})")]
    Nowhere(Box<kube::config::InferConfigError>),
    /// Its certificates, or its address.
    #[error("cannot speak to the cluster: {0}")]
    Client(Box<kube::Error>),
}

/// As a kubeconfig says, or as the Pod does that we run in. Asks nothing yet.
pub async fn of_file(kubeconfig: Option<&Path>) -> Result<Client, ClientError> {
    let config = match kubeconfig {
        Some(path) => {
            let failed = |source| ClientError::File { path: path.to_owned(), source: Box::new(source) };
            let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(failed)?
        }
        None => kube::Config::incluster().map_err(|error| ClientError::NotInside(Box::new(error)))?,
    };
    client(config)
}

/// As the text of a kubeconfig says.
pub async fn of_text(kubeconfig: &str) -> Result<Client, ClientError> {
    let failed = |error| ClientError::Text(Box::new(error));
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(failed)?;
    client(kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(failed)?)
}

/// As whoever calls us uses kubectl.
pub async fn of_user() -> Result<Client, ClientError> {
    client(kube::Config::infer().await.map_err(|error| ClientError::Nowhere(Box::new(error)))?)
}

/// The same API server, asked as this account of a namespace: what that may not do, we may not either.
pub fn acting_as(client: &Client, namespace: &str, account: &str) -> Client {
    let user = format!("system:serviceaccount:{namespace}:{account}");
    let ours = client.clone();
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let (client, user) = (ours.clone(), user.clone());
        async move {
            // Never without it, which would be as ourselves.
            let user = HeaderValue::try_from(user).map_err(|error| kube::Error::Service(error.into()))?;
            request.headers_mut().insert("impersonate-user", user);
            client.send(request).await
        }
    });
    Client::new(service, namespace)
}

fn client(mut config: kube::Config) -> Result<Client, ClientError> {
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(READ);
    Client::try_from(config).map_err(|error| ClientError::Client(Box::new(error)))
}
