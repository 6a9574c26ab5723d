use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::hub::{Hub, Setup};
use lab::lan::{Host, Lan};
use lab::torrent::content;

use super::folder::Folder;

const CHUNK_BYTES: usize = 1 << 20;
pub(super) const FILE_NAME: &str = "data.bin";

/// Hosts around a hub, one of them with a file that all others are to get.
pub(super) struct Site {
    skep: PathBuf,
    folder: Folder,
    hub: Host,
    pub(super) seeder: Host,
    pub(super) leechers: Vec<Host>,
    pub(super) torrent: PathBuf,
    pub(super) info_hash: String,
    pub(super) size: u64,
    pub(super) piece_length: u64,
    /// Kept as long as there are hosts in it.
    _lan: Lan,
}

/// Where the programs of one run put what they write.
pub(super) struct Run {
    pub(super) hub: PathBuf,
    pub(super) seeder: PathBuf,
    pub(super) leechers: Vec<Place>,
}

/// Where a leecher writes: what it gets, and all else.
pub(super) struct Place {
    pub(super) own: PathBuf,
    pub(super) files: PathBuf,
}

impl Site {
    /// `leechers` hosts for a file of `size` bytes. The seeder sends at most `uplink` bytes a second, if that is given.
    pub(super) fn new(skep: &Path, size: u64, leechers: usize, uplink: Option<u64>) -> Result<Self, String> {
        let copies = 1 + leechers as u64;
        let folder = Folder::with_room_for(copies * size)?;
        let mut lan = Lan::new().ok_or("this benchmark needs hosts of their own")?;
        let (hub, seeder) = (lan.host("hub"), lan.host("seeder"));
        let leechers = (1..=leechers).map(|n| lan.host(&format!("leecher{n}"))).collect();
        if let Some(uplink) = uplink {
            seeder.limit_uplink(uplink * 8);
        }
        let source = folder.path().join("source");
        fs::create_dir(&source).map_err(|error| format!("cannot make {}: {error}", source.display()))?;
        let file = source.join(FILE_NAME);
        write_content(&file, size).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        let torrent = folder.path().join("data.torrent");
        let announce = format!("{}/announce", hub_url(&hub));
        let mut make = Command::new(skep);
        make.arg("make").arg(&file).args(["--tracker", &announce, "--json", "--output"]).arg(&torrent);
        let output = make.output().map_err(|error| format!("cannot start {make:?}: {error}"))?;
        let made: serde_json::Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| format!("{make:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
        let info_hash = made["info_hash"].as_str().ok_or("skep make tells no info hash")?.to_owned();
        let piece_length = made["piece_length"].as_u64().ok_or("skep make tells no piece length")?;
        let skep = skep.to_path_buf();
        Ok(Self { skep, folder, hub, seeder, leechers, torrent, info_hash, size, piece_length, _lan: lan })
    }

    /// The hub's address.
    pub(super) fn hub_url(&self) -> String {
        hub_url(&self.hub)
    }

    /// A hub that knows nobody yet, where the torrent says that it is.
    pub(super) fn start_hub(&self, state: &Path) -> Hub {
        start_hub(&self.skep, &self.hub, state)
    }

    /// The folder of the seeder's file.
    pub(super) fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// Empty folders for one run; those of the one before go.
    pub(super) fn clear_run(&self) -> Result<Run, String> {
        let folder = self.folder.path().join("run");
        let place = |name: String| {
            let own = folder.join(name);
            Place { files: own.join("files"), own }
        };
        let run = Run {
            hub: folder.join("hub"),
            seeder: folder.join("seeder"),
            leechers: (1..=self.leechers.len()).map(|number| place(format!("leecher{number}"))).collect(),
        };
        let make = || {
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&run.hub)?;
            fs::create_dir_all(&run.seeder)?;
            run.leechers.iter().try_for_each(|place| fs::create_dir_all(&place.files))
        };
        make().map_err(|error: std::io::Error| format!("cannot make {} anew: {error}", folder.display()))?;
        Ok(run)
    }

    /// Sees that the file in `folder` is the seeder's.
    pub(super) fn verify(&self, folder: &Path) -> Result<(), String> {
        let path = folder.join(FILE_NAME);
        match same_content(&self.source().join(FILE_NAME), &path) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{} is not what was shared", path.display())),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }
}

/// Starts a hub that tells no more than what is wrong.
pub(super) fn start_hub(skep: &Path, host: &Host, state: &Path) -> Hub {
    Setup::new(skep).on(host).config("log.level = \"warn\"\n").start(state)
}

/// Where a hub on this host listens unless told otherwise.
pub(super) fn hub_url(host: &Host) -> String {
    format!("http://{}:6969", host.v4())
}

fn write_content(path: &Path, size: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let mut left = size;
    while left > 0 {
        let part = CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES));
        file.write_all(&content(left, part))?;
        left -= part as u64;
    }
    Ok(())
}

fn same_content(one: &Path, other: &Path) -> std::io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let mut chunks = (Vec::with_capacity(CHUNK_BYTES), Vec::with_capacity(CHUNK_BYTES));
    loop {
        for (file, chunk) in [(&mut one, &mut chunks.0), (&mut other, &mut chunks.1)] {
            chunk.clear();
            file.take(CHUNK_BYTES as u64).read_to_end(chunk)?;
        }
        if chunks.0 != chunks.1 {
            return Ok(false);
        }
        if chunks.0.is_empty() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_compared_to_its_last_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let size = CHUNK_BYTES as u64 + 7;
        write_content(&path("one"), size).unwrap();
        write_content(&path("same"), size).unwrap();
        assert_eq!(fs::metadata(path("one")).unwrap().len(), size);
        assert!(same_content(&path("one"), &path("same")).unwrap());
        let mut bytes = fs::read(path("one")).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path("other"), &bytes).unwrap();
        assert!(!same_content(&path("one"), &path("other")).unwrap());
        fs::write(path("short"), &bytes[1..]).unwrap();
        assert!(!same_content(&path("one"), &path("short")).unwrap());
    }
}
