//! What the operating system says of a running process, by its id.

use std::fs;

/// Processor seconds it has used so far, in user and kernel mode, all threads together.
pub(super) fn cpu_seconds(id: u32) -> Result<f64, String> {
    let stat = read(id, "stat")?;
    // The second field is the program's name in parentheses, and may hold anything.
    let after = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let mut fields = after.split_ascii_whitespace().skip(11).map_while(|field| field.parse::<f64>().ok());
    match (fields.next(), fields.next()) {
        (Some(user), Some(system)) => Ok((user + system) / rustix::param::clock_ticks_per_second() as f64),
        _ => Err(format!("cannot read the processor time in `{stat}`")),
    }
}

/// Bytes of its memory that are resident.
pub(super) fn resident_bytes(id: u32) -> Result<u64, String> {
    status_bytes(id, "VmRSS:")
}

/// Bytes of its memory that were resident at most.
pub(super) fn peak_bytes(id: u32) -> Result<u64, String> {
    status_bytes(id, "VmHWM:")
}

/// How many descriptors it has open.
pub(super) fn descriptors(id: u32) -> Result<usize, String> {
    let path = format!("/proc/{id}/fd");
    let entries = fs::read_dir(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    Ok(entries.count())
}

fn status_bytes(id: u32, field: &str) -> Result<u64, String> {
    let status = read(id, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|text| text.parse::<u64>().ok());
    kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| format!("cannot read {field} of process {id}"))
}

fn read(id: u32, file: &str) -> Result<String, String> {
    let path = format!("/proc/{id}/{file}");
    fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_is_seen() {
        let id = std::process::id();
        assert!(cpu_seconds(id).is_ok());
        assert!(descriptors(id).unwrap() >= 3);
        let (now, peak) = (resident_bytes(id).unwrap(), peak_bytes(id).unwrap());
        assert!(0 < now && now <= peak, "{now} and at most {peak}");
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        let error = resident_bytes(u32::MAX).unwrap_err();
        assert!(error.contains(&u32::MAX.to_string()), "{error}");
    }
}
