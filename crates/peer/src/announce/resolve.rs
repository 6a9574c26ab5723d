//! Where a tracker is.

use std::net::SocketAddr;
use std::time::Duration;

use super::schedule::Miss;
use super::target::{Family, Target};

/// How long a name may take to be looked up.
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(20);

/// Addresses of one host that are used.
const ADDRESSES_MAX: usize = 8;

/// The addresses of `target` in `family`: one at least.
///
/// # Errors
/// [`Miss::Absent`] if it has addresses in the other family only.
pub(super) async fn addresses(target: &Target, family: Family) -> Result<Vec<SocketAddr>, Miss> {
    let host = &*target.host;
    let look_up = tokio::net::lookup_host((host, target.port));
    let found = match tokio::time::timeout(LOOK_UP_TIME_MAX, look_up).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(Miss::Failed(format!("`{host}` is not found: {error}"))),
        Err(_) => return Err(Miss::Failed(format!("looking up `{host}` takes too long"))),
    };
    let of_family: Vec<_> =
        found.filter(|address| Family::of(address.ip()) == family).take(ADDRESSES_MAX).collect();
    if of_family.is_empty() { Err(Miss::Absent) } else { Ok(of_family) }
}
