//! What has to be in Argo CD's namespace so that it asks our generator: the file that operators apply, filled in.

use serde::Deserialize;
use serde_json::{Value, json};

/// The file that operators apply.
const FILE: &str = include_str!("../../argocd/base/applicationset.yaml");

/// The file is not as this program needs it, which its tests tell.
#[derive(Debug, thiserror::Error)]
#[error("argocd/base/applicationset.yaml is not a ConfigMap and an ApplicationSet")]
pub struct InvalidFile;

/// Secret, ConfigMap and ApplicationSet of this name in `namespace`, which ask at `address` with `token`.
pub fn objects(namespace: &str, name: &str, address: &str, token: &str) -> Result<[Value; 3], InvalidFile> {
    let documents = serde_yaml::Deserializer::from_str(FILE);
    let documents: Vec<Value> = documents.map(Value::deserialize).collect::<Result<_, _>>().map_err(|_| InvalidFile)?;
    let [mut config, mut set] = <[Value; 2]>::try_from(documents).map_err(|_| InvalidFile)?;
    let metadata = json!({ "name": name, "namespace": namespace, "labels": { "app.kubernetes.io/part-of": "argocd" } });
    let secret =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": { "token": token } });
    config["metadata"] = metadata.clone();
    config["data"]["baseUrl"] = address.into();
    config["data"]["token"] = format!("${name}:token").into();
    set["metadata"]["name"] = name.into();
    set["metadata"]["namespace"] = namespace.into();
    *set.pointer_mut("/spec/generators/0/plugin/configMapRef/name").ok_or(InvalidFile)? = name.into();
    Ok([secret, config, set])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_filled_in_and_nothing_else_of_it_changes() {
        let [secret, config, set] = objects("argocd", "mine", "http://10.0.0.1:7431", "secret").unwrap();
        assert_eq!(secret["stringData"]["token"], "secret");
        assert_eq!(
            (&config["data"]["baseUrl"], &config["data"]["token"]),
            (&json!("http://10.0.0.1:7431"), &json!("$mine:token"))
        );
        assert_eq!(set["spec"]["generators"][0]["plugin"]["configMapRef"]["name"], "mine");
        assert_eq!(set["spec"]["syncPolicy"]["applicationsSync"], "create-update");
    }
}
