use std::fs;
use std::future::Future;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// How long anything may take here, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{what}: in vain"))
}

/// A folder that is looked at until this is dropped.
struct Watched {
    folder: Folder,
    path: PathBuf,
    downloads: Arc<Mutex<BTreeMap<String, Download>>>,
    watching: tokio::task::JoinHandle<()>,
    _temp: TempDir,
}

impl Watched {
    fn new(fill: impl FnOnce(&Path)) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("shared");
        fs::create_dir(&path).unwrap();
        fill(&path);
        let folder = Folder::open(&path).unwrap();
        let downloads: Arc<Mutex<BTreeMap<String, Download>>> = Arc::default();
        let (watched, known) = (folder.clone(), downloads.clone());
        let watching = tokio::spawn(async move { watched.watch(|| known.lock().clone()).await });
        Self { folder, path, downloads, watching, _temp: temp }
    }

    /// Waits for an entry to be offered, and takes it for shared.
    async fn offered(&self, expected: &str, hash: InfoHash) {
        let offer = soon("an offer", self.folder.next_offer()).await;
        assert_eq!(offer.name, expected);
        assert_eq!(self.folder.stamp(expected), Some(offer.stamp), "it is as it was found");
        self.folder.offered(&offer, Some(hash));
    }

    /// Waits for an entry to be taken back.
    async fn withdrawn(&self, expected: &str, hash: InfoHash) {
        let withdrawal = soon("a withdrawal", self.folder.next_withdrawal()).await;
        assert_eq!(withdrawal, Withdrawal { name: expected.to_owned(), info_hash: hash });
        self.folder.withdrawn(hash);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

const A: InfoHash = InfoHash([1; 20]);
const B: InfoHash = InfoHash([2; 20]);

#[tokio::test]
async fn what_is_there_and_what_comes_changes_and_goes_is_told() {
    let watched = Watched::new(|path| {
        fs::create_dir_all(path.join("set/deep")).unwrap();
        fs::write(path.join("set/deep/file"), "1").unwrap();
    });
    watched.offered("set", A).await;
    soon("all to be settled", watched.folder.settled()).await;
    fs::write(watched.path.join("new"), "2").unwrap();
    watched.offered("new", B).await;
    fs::write(watched.path.join("set/deep/file"), "changed").unwrap();
    watched.withdrawn("set", A).await;
    watched.offered("set", A).await;
    fs::remove_file(watched.path.join("new")).unwrap();
    watched.withdrawn("new", B).await;
    fs::remove_dir_all(watched.path.join("set")).unwrap();
    watched.withdrawn("set", A).await;
}

#[tokio::test]
async fn hidden_and_unfinished_files_and_links_are_left_out() {
    let watched = Watched::new(|path| {
        fs::write(path.join("../outside"), "secret").unwrap();
        symlink("../outside", path.join("link")).unwrap();
        fs::create_dir(path.join(".skep-0123")).unwrap();
        for name in [".hidden", "file.part", "file.PART", "draft~", ".skep-0123/0"] {
            fs::write(path.join(name), "x").unwrap();
        }
        fs::write(path.join(OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
        fs::write(path.join("part"), "x").unwrap();
    });
    watched.offered("part", A).await;
    soon("all to be settled", watched.folder.settled()).await;
    assert_eq!(watched.folder.0.shelf.lock().room(), ENTRIES_MAX - 1, "nothing else is known");
    fs::write(watched.path.join(".hidden"), "changed").unwrap();
    fs::rename(watched.path.join("file.part"), watched.path.join("file")).unwrap();
    watched.offered("file", B).await;
}

#[tokio::test]
async fn a_file_is_offered_only_when_nobody_writes_it_any_more() {
    let watched = Watched::new(|_| ());
    soon("all to be settled", watched.folder.settled()).await;
    let path = watched.path.join("film");
    let mut last = Instant::now();
    let offer = soon("the offer", async {
        let mut offer = std::pin::pin!(watched.folder.next_offer());
        for step in 0_u32.. {
            if step < 10 {
                fs::write(&path, step.to_le_bytes()).unwrap();
                last = Instant::now();
            }
            if let Ok(offer) = tokio::time::timeout(QUIET / 4, &mut offer).await {
                assert!(step >= 10, "it was still being written");
                return Some(offer.name);
            }
        }
        None
    })
    .await;
    assert_eq!(offer.as_deref(), Some("film"));
    assert!(last.elapsed() >= QUIET);
}

#[tokio::test]
async fn a_download_is_left_alone_and_shared_as_what_it_is() {
    let watched = Watched::new(|_| ());
    watched.downloads.lock().insert("set".to_owned(), Download { info_hash: A, whole: false });
    fs::create_dir(watched.path.join("set")).unwrap();
    fs::write(watched.path.join("set/first"), "1").unwrap();
    fs::write(watched.path.join("other"), "2").unwrap();
    watched.offered("other", B).await;
    watched.downloads.lock().insert("set".to_owned(), Download { info_hash: A, whole: true });
    fs::write(watched.path.join("set/second"), "2").unwrap();
    // When this one has become quiet, the other has been looked at for long.
    fs::write(watched.path.join("last"), "3").unwrap();
    watched.offered("last", InfoHash([3; 20])).await;
    watched.downloads.lock().clear();
    fs::remove_file(watched.path.join("set/first")).unwrap();
    watched.withdrawn("set", A).await;
}

#[tokio::test]
async fn a_folder_that_goes_takes_all_with_it_and_may_come_again() {
    let watched = Watched::new(|path| fs::write(path.join("a"), "1").unwrap());
    watched.offered("a", A).await;
    fs::remove_dir_all(&watched.path).unwrap();
    watched.withdrawn("a", A).await;
    fs::create_dir(&watched.path).unwrap();
    fs::write(watched.path.join("b"), "2").unwrap();
    watched.offered("b", B).await;
    fs::write(watched.path.join("c"), "2").unwrap();
    watched.offered("c", A).await;
}

#[test]
fn a_folder_is_one_peers_until_it_lets_go() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("deep/shared");
    let folder = Folder::open(&path).unwrap();
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "nothing of ours lies in it");
    let error = Folder::open(&path).unwrap_err();
    assert!(matches!(&error, OpenError::Taken(taken) if *taken == path));
    assert!(error.to_string().contains("is shared by another peer"), "{error}");
    drop(folder);
    Folder::open(&path).unwrap();
    let file = temp.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(Folder::open(&file), Err(OpenError::Unusable { .. })));
}

#[test]
fn names_of_unfinished_files_are_known() {
    for name in ["data", "part", "a.party", ".", "größe"].map(OsStr::new) {
        assert_eq!(is_shared_name(name), name != ".", "{name:?}");
    }
    for name in [".git", "a.part", "b.Part", "c.crdownload", "d~", "~", "e.aria2"].map(OsStr::new) {
        assert!(!is_shared_name(name), "{name:?}");
    }
}

#[test]
fn a_stamp_is_of_all_that_is_shared_and_of_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let (folder, set) = (Folder::open(temp.path()).unwrap(), temp.path().join("set"));
    fs::create_dir(&set).unwrap();
    let empty = folder.stamp("set").unwrap();
    fs::write(set.join("a"), "1").unwrap();
    let one = folder.stamp("set").unwrap();
    assert_ne!(empty, one);
    fs::write(set.join(".hidden"), "1").unwrap();
    fs::create_dir(set.join("empty")).unwrap();
    symlink("/etc/hostname", set.join("link")).unwrap();
    assert_eq!(folder.stamp("set"), Some(one));
    fs::rename(set.join("a"), set.join("b")).unwrap();
    let renamed = folder.stamp("set").unwrap();
    assert_ne!(renamed, one);
    // Its length and its time are as before.
    let modified = fs::metadata(set.join("b")).unwrap().modified().unwrap();
    fs::write(set.join("b"), "2").unwrap();
    fs::File::options().write(true).open(set.join("b")).unwrap().set_modified(modified).unwrap();
    assert_ne!(folder.stamp("set"), Some(renamed));
    assert_eq!(folder.stamp("none"), None);
}
