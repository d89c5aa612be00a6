//! Keys, certificates and passwords of one stack. They live as long as its directory and are readable only by its owner.

use std::fmt;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// A certificate with its key, in PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// All of them.
pub struct Keys {
    /// The API server, its controllers and its administrator.
    pub plane: PlaneKeys,
    /// etcd and its client.
    pub etcd: EtcdKeys,
    /// The password of redis.
    pub redis: String,
    /// What Argo CD signs sessions with.
    pub argocd: String,
}

/// Of one control plane.
pub struct PlaneKeys {
    /// Who vouches for the API server and its users.
    pub authority: String,
    /// What API server, controller manager and scheduler show.
    pub server: Pair,
    /// The administrator of the cluster.
    pub admin: Pair,
    /// Signs tokens of service accounts.
    pub accounts: Pair,
}

/// Of one etcd: no user of an API is one of etcd's.
pub struct EtcdKeys {
    /// Who vouches for etcd and its clients.
    pub authority: String,
    /// What etcd shows.
    pub server: Pair,
    /// API servers as clients of etcd.
    pub client: Pair,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// New ones.
    pub fn generate() -> Result<Self, rcgen::Error> {
        Ok(Self { plane: PlaneKeys::generate()?, etcd: EtcdKeys::generate()?, redis: password()?, argocd: password()? })
    }

    /// Others of the same shape for tests of plans: quick, and the same each time.
    #[cfg(test)]
    pub fn fake() -> Self {
        let pair = |name: &str| Pair { certificate: format!("{name}.crt"), key: format!("SECRET {name}.key") };
        Self {
            plane: PlaneKeys {
                authority: "ca".to_owned(),
                server: pair("server"),
                admin: pair("admin"),
                accounts: pair("accounts"),
            },
            etcd: EtcdKeys { authority: "etcd-ca".to_owned(), server: pair("etcd"), client: pair("etcd-client") },
            redis: "SECRET redis".to_owned(),
            argocd: "SECRET argocd".to_owned(),
        }
    }
}

impl PlaneKeys {
    /// New ones.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let cluster = Authority::new("gradus-stack")?;
        let accounts = KeyPair::generate()?;
        Ok(Self {
            server: cluster.signs(
                "kube-apiserver",
                None,
                &["127.0.0.1", "localhost", "kubernetes.default.svc"],
                &[ExtendedKeyUsagePurpose::ServerAuth],
            )?,
            admin: cluster.signs("gradus", Some("system:masters"), &[], &[ExtendedKeyUsagePurpose::ClientAuth])?,
            accounts: Pair { certificate: accounts.public_key_pem(), key: accounts.serialize_pem() },
            authority: cluster.certificate,
        })
    }
}

impl EtcdKeys {
    /// New ones.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let etcd = Authority::new("gradus-stack-etcd")?;
        Ok(Self {
            // Of the only member, which is its own peer, and its own client where it answers in JSON.
            server: etcd.signs(
                "etcd",
                None,
                &["127.0.0.1", "localhost"],
                &[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            )?,
            client: etcd.signs("kube-apiserver", None, &[], &[ExtendedKeyUsagePurpose::ClientAuth])?,
            authority: etcd.certificate,
        })
    }
}

struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = params(name, None, &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    fn signs(
        &self,
        name: &str,
        group: Option<&str>,
        hosts: &[&str],
        uses: &[ExtendedKeyUsagePurpose],
    ) -> Result<Pair, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = params(name, group, hosts)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = uses.to_vec();
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Pair { certificate, key: key.serialize_pem() })
    }
}

fn params(name: &str, group: Option<&str>, hosts: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    Ok(params)
}

fn password() -> Result<String, rcgen::Error> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 24];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| rcgen::Error::RingUnspecified)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", Keys::fake()), "Keys(…)");
    }

    #[test]
    fn two_stacks_share_no_key() {
        let (one, two) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        assert_ne!(one.redis, two.redis);
        assert_ne!(one.plane.admin.key, two.plane.admin.key);
        assert!(one.plane.accounts.certificate.starts_with("-----BEGIN PUBLIC KEY-----"));
    }
}
