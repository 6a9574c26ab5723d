//! Work that gives way to those who answer.

use std::any::Any;

use tokio::sync::oneshot;

/// By how much the work's share of a busy core is less: to about a tenth of that of who answers. Not to nothing, as what it
/// holds now and then, a shard's lock, others wait for.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Does `work` on a thread of its own, which goes on where the system has nothing better to do.
///
/// # Errors
///
/// The thread cannot be started, or the work ended in a panic: in words.
pub(crate) async fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (done, outcome) = oneshot::channel();
    let thread = move || {
        give_way();
        // Who asked may have gone.
        let _ = done.send(work());
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(thread);
    let thread = thread.map_err(|error| format!("cannot start a thread: {error}"))?;
    match outcome.await {
        Ok(outcome) => Ok(outcome),
        Err(_) => {
            Err(thread.join().err().map_or_else(|| "it did nothing".to_owned(), |panic| words_of(&*panic)))
        }
    }
}

/// Has the calling thread go on where the system has nothing better to do, from now on.
pub(crate) fn give_way() {
    // Elsewhere it would be that of the whole process. Where it is refused, the work is done all the same.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it ended in a panic: {}", text.unwrap_or("without a word"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_and_panics_are_told() {
        assert_eq!(run("sum", || 1 + 1).await, Ok(2));
        let told = run("trouble", || -> u32 { panic!("no {}", "way") }).await;
        assert_eq!(told, Err("it ended in a panic: no way".into()));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_gives_way_and_nobody_else_does() {
        let niceness = || rustix::process::nice(0).unwrap();
        let before = niceness();
        let within = run("work", niceness).await.unwrap();
        assert_eq!((within, niceness()), ((before + NICENESS).min(19), before));
    }
}
