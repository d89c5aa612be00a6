//! The cluster: etcd, API server, controllers, and nodes that are played.

use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

use super::{Args, Failing, File, Process, Site, Step, local};
use crate::stack::keys::Pair;
use crate::stack::part::Part;
use crate::stack::probe::Probe;

pub fn address(site: &Site) -> String {
    format!("https://{}", local(site.ports.api))
}

/// Keys, certificates, the kubeconfig, the node.
pub fn files(site: &Site) -> Vec<File> {
    let keys = site.keys;
    let file = |path: &str, content: &str| File { path: path.into(), content: content.to_owned() };
    let mut files = vec![file("pki/ca.crt", &keys.authority), file("pki/etcd-ca.crt", &keys.etcd_authority)];
    let pairs = [
        ("server", &keys.server),
        ("etcd", &keys.etcd),
        ("etcd-client", &keys.etcd_client),
        ("accounts", &keys.accounts),
    ];
    for (name, Pair { certificate, key }) in pairs {
        files.push(file(&format!("pki/{name}.crt"), certificate));
        files.push(file(&format!("pki/{name}.key"), key));
    }
    files.push(file("kubeconfig", &format!("{:#}\n", kubeconfig(site))));
    if site.spec.has(Part::Kwok) {
        files.push(file("node.json", &node_object().to_string()));
    }
    files
}

/// JSON is YAML. With all it needs inside, so that it may be copied.
fn kubeconfig(site: &Site) -> Value {
    let data = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
    let (admin, name) = (&site.keys.admin, format!("gradus-{}", site.spec.name));
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {
            "server": address(site),
            "certificate-authority-data": data(&site.keys.authority),
        }}],
        "users": [{"name": name, "user": {
            "client-certificate-data": data(&admin.certificate),
            "client-key-data": data(&admin.key),
        }}],
        // Argo CD looks for its own objects in the namespace of its context.
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "argocd"}}],
    })
}

pub fn etcd(site: &Site) -> Process {
    let (client, peer) =
        (format!("https://{}", local(site.ports.etcd)), format!("https://{}", local(site.ports.etcd_peer)));
    let metrics = format!("http://{}", local(site.ports.etcd_metrics));
    let args = Args::new(&["--unsafe-no-fsync", "--client-cert-auth", "--peer-client-cert-auth"])
        .flag("name", "only")
        .flag("data-dir", site.path("etcd"))
        .flag("listen-client-urls", &client)
        .flag("advertise-client-urls", &client)
        .flag("listen-peer-urls", &peer)
        .flag("initial-advertise-peer-urls", &peer)
        .flag("initial-cluster", format!("only={peer}"))
        .flag("listen-metrics-urls", &metrics)
        .flag("cert-file", site.path("pki/etcd.crt"))
        .flag("key-file", site.path("pki/etcd.key"))
        .flag("trusted-ca-file", site.path("pki/etcd-ca.crt"))
        .flag("peer-cert-file", site.path("pki/etcd.crt"))
        .flag("peer-key-file", site.path("pki/etcd.key"))
        .flag("peer-trusted-ca-file", site.path("pki/etcd-ca.crt"))
        .flag("log-level", "warn");
    Process {
        part: Part::Etcd,
        program: site.programs.etcd.join("etcd"),
        args: args.0,
        env: site.env("tmp"),
        ready: Probe::Http(format!("{metrics}/readyz")),
        within: Duration::from_secs(30),
        address: client,
    }
}

pub fn apiserver(site: &Site) -> Process {
    let args = Args::new(&[])
        .flag("etcd-servers", format!("https://{}", local(site.ports.etcd)))
        .flag("etcd-cafile", site.path("pki/etcd-ca.crt"))
        .flag("etcd-certfile", site.path("pki/etcd-client.crt"))
        .flag("etcd-keyfile", site.path("pki/etcd-client.key"))
        // A second control plane on the same etcd has another prefix.
        .flag("etcd-prefix", "/main")
        .flag("bind-address", "127.0.0.1")
        .flag("secure-port", site.ports.api.to_string())
        .flag("tls-cert-file", site.path("pki/server.crt"))
        .flag("tls-private-key-file", site.path("pki/server.key"))
        .flag("client-ca-file", site.path("pki/ca.crt"))
        .flag("service-account-issuer", "https://kubernetes.default.svc")
        .flag("service-account-key-file", site.path("pki/accounts.crt"))
        .flag("service-account-signing-key-file", site.path("pki/accounts.key"))
        .flag("authorization-mode", "Node,RBAC")
        .flag("service-cluster-ip-range", "10.0.0.0/24")
        // Else it asks for a default route, which a laptop without network has not.
        .flag("advertise-address", "127.0.0.1")
        // Nobody reaches it by its Service, whose endpoint could not be loopback.
        .flag("endpoint-reconciler-type", "none")
        .flag("enable-priority-and-fairness", "false")
        .flag("profiling", "false");
    let mut env = site.env("tmp");
    // A third less memory for a little more work: a laptop has other things to hold.
    env.push(("GOGC", "40".into()));
    Process {
        part: Part::KubeApiserver,
        program: site.programs.kubernetes.join("kube-apiserver"),
        args: args.0,
        env,
        ready: probe(site, site.ports.api, "/readyz"),
        within: Duration::from_secs(90),
        address: address(site),
    }
}

pub fn controller_manager(site: &Site) -> Process {
    let args = controller_args(site, site.ports.controllers)
        .flag("use-service-account-credentials", "true")
        .flag("service-account-private-key-file", site.path("pki/accounts.key"))
        .flag("root-ca-file", site.path("pki/ca.crt"));
    controller(site, Part::KubeControllerManager, site.ports.controllers, args)
}

pub fn scheduler(site: &Site) -> Process {
    let args = controller_args(site, site.ports.scheduler);
    controller(site, Part::KubeScheduler, site.ports.scheduler, args)
}

fn controller_args(site: &Site, port: u16) -> Args {
    Args::new(&[])
        .flag("kubeconfig", site.kubeconfig())
        .flag("authentication-kubeconfig", site.kubeconfig())
        .flag("authorization-kubeconfig", site.kubeconfig())
        .flag("leader-elect", "false")
        .flag("bind-address", "127.0.0.1")
        .flag("secure-port", port.to_string())
        .flag("tls-cert-file", site.path("pki/server.crt"))
        .flag("tls-private-key-file", site.path("pki/server.key"))
        .flag("profiling", "false")
}

fn controller(site: &Site, part: Part, port: u16, args: Args) -> Process {
    Process {
        part,
        program: site.programs.kubernetes.join(part.as_str()),
        args: args.0,
        env: site.env("tmp"),
        ready: probe(site, port, "/healthz"),
        within: Duration::from_secs(60),
        address: format!("https://{}", local(port)),
    }
}

fn probe(site: &Site, port: u16, path: &str) -> Probe {
    Probe::Https { url: format!("https://{}{path}", local(port)), authority: site.path("pki/ca.crt") }
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
