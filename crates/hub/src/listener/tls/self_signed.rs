use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::ifaddrs::getifaddrs;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use super::material::TlsError;
use crate::config::Config;

/// What the files in the state directory are called.
const CERTIFICATE_FILE: &str = "tls-certificate.pem";
const KEY_FILE: &str = "tls-key.pem";

/// Names and addresses that one certificate is for at most.
const NAMES_MAX: usize = 64;

/// The certificate and the key in `state_dir`, made there at the first start, in files that only the hub's own user can
/// read. They stay even if the machine gets other names: who relies on the fingerprint goes on doing so.
pub(super) fn find_or_make(config: &Config, state_dir: &Path) -> Result<(PathBuf, PathBuf), TlsError> {
    let (certificate, key) = (state_dir.join(CERTIFICATE_FILE), state_dir.join(KEY_FILE));
    match (certificate.exists(), key.exists()) {
        (true, true) => {}
        (false, false) => make(config, &certificate, &key)?,
        (has_certificate, _) => {
            let (there, missing) =
                if has_certificate { (&certificate, KEY_FILE) } else { (&key, CERTIFICATE_FILE) };
            let wrong = format!("{missing} is missing beside it; remove it too, and a new pair is made");
            return Err(TlsError::new(there, wrong));
        }
    }
    Ok((certificate, key))
}

fn make(config: &Config, certificate: &Path, key: &Path) -> Result<(), TlsError> {
    let refuse =
        |error: &dyn std::fmt::Display| TlsError::new(certificate, format!("it cannot be made: {error}"));
    let pair = KeyPair::generate().map_err(|error| refuse(&error))?;
    let mut params = CertificateParams::new(names(config)).map_err(|error| refuse(&error))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Skep hub");
    let made = params.self_signed(&pair).map_err(|error| refuse(&error))?;
    // The key first: what is there without the other is named at the next start.
    write(key, &pair.serialize_pem())
        .map_err(|error| TlsError::new(key, format!("it cannot be written: {error}")))?;
    write(certificate, &made.pem()).map_err(|error| refuse(&error))
}

/// By what this machine may be called: its name, and the addresses it has and is said to have.
fn names(config: &Config) -> Vec<String> {
    let host = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    let host = Some(host).filter(|host| is_host_name(host));
    let listed = config.tls.listen.iter().map(|address| address.ip());
    let ips = listed.chain(config.tracker.external_ips.iter().copied()).chain(own_ips());
    let ips = ips.filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string());
    let mut names = Vec::new();
    for name in ["localhost".to_owned()].into_iter().chain(host).chain(ips) {
        if names.len() < NAMES_MAX && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The addresses of this machine by which others can call it.
fn own_ips() -> Vec<IpAddr> {
    let ip = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
        v4.or_else(|| Some(address.as_sockaddr_in6()?.ip().into()))
    };
    let bound_to_link = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    getifaddrs().into_iter().flatten().filter_map(ip).filter(|ip| !bound_to_link(ip)).collect()
}

/// Labels of letters, digits and hyphens (RFC 1123 §2.1).
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// The file appears whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let nonce: u64 = rand::random();
    let draft = path.with_extension(format!("{nonce:016x}"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| fs::rename(&draft, path)).inspect_err(|_| {
        // What is left of it would be in nobody's way.
        let _ = fs::remove_file(&draft);
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_pair_is_made_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = find_or_make(&Config::default(), dir.path()).unwrap();
        let made = [&certificate, &key].map(|path| {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
            fs::read(path).unwrap()
        });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert_eq!(find_or_make(&Config::default(), dir.path()).unwrap(), (certificate.clone(), key.clone()));
        assert_eq!([&certificate, &key].map(|path| fs::read(path).unwrap()), made);

        fs::remove_file(&key).unwrap();
        let error = find_or_make(&Config::default(), dir.path()).unwrap_err().to_string();
        let expected = "tls-key.pem is missing beside it; remove it too, and a new pair is made";
        assert_eq!(error, format!("{}: {expected}", certificate.display()));
    }

    #[test]
    fn it_is_for_all_that_the_machine_is_called() {
        let mut config = Config::default();
        config.tls.listen = vec!["192.0.2.7:443".parse().unwrap(), "[::]:443".parse().unwrap()];
        config.tracker.external_ips = vec!["2001:db8::7".parse().unwrap()];
        let names = names(&config);
        for expected in ["localhost", "192.0.2.7", "2001:db8::7", "127.0.0.1"] {
            assert!(names.iter().any(|name| name == expected), "{expected}: {names:?}");
        }
        assert!(!names.iter().any(|name| name == "::"), "{names:?}");
    }

    #[test]
    fn only_what_dns_knows_is_a_name() {
        for (name, right) in
            [("hub", true), ("hub-1.example", true), ("", false), ("my_box", false), ("a..b", false)]
        {
            assert_eq!(is_host_name(name), right, "{name}");
        }
    }
}
