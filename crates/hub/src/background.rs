//! Work that gives way to those who answer.

use std::any::Any;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// By how much the work's share of a busy core is less: to about a tenth of that of who answers. Not to nothing, as what it
/// holds now and then, a shard's lock, others wait for.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// How long it works before it looks whether somebody has been woken who goes first.
const TURN: Duration = Duration::from_micros(50);

/// The part of the core, one in so many, that it takes however much there is to answer.
const SHARE: u32 = 10;

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

/// Long work, done in turns: between two of them whoever has been woken goes first.
///
/// To give way is not enough for that: the system lets a thread that has the core finish its slice, which may be four
/// milliseconds, whoever else should have it.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Steps between two looks at the clock, and those that are left.
    every: u32,
    left: u32,
    since: Instant,
    turn: Duration,
}

impl Turns {
    /// Of work whose steps are so short that it will do to look at the clock after so many.
    pub(crate) fn of(every: u32) -> Self {
        Self { every, left: every, since: Instant::now(), turn: TURN }
    }

    /// A step is done, and nothing is held that others could wait for.
    pub(crate) fn step(&mut self) {
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return;
        }
        self.left = self.every;
        let now = Instant::now();
        if now - self.since >= self.turn {
            std::thread::yield_now();
            self.since = Instant::now();
            self.turn = turn_after(self.since - now);
        }
    }
}

/// How long it works when it has waited so long: where others leave nothing over, the longer, so that it has its share.
fn turn_after(waited: Duration) -> Duration {
    TURN.max(waited / (SHARE - 1))
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

    #[test]
    fn who_has_waited_has_a_tenth_all_the_same() {
        assert_eq!(turn_after(Duration::ZERO), TURN);
        assert_eq!(turn_after(Duration::from_micros(450)), TURN);
        assert_eq!(turn_after(Duration::from_millis(90)), Duration::from_millis(10));
    }

    #[test]
    fn a_turn_ends_at_a_step() {
        let mut turns = Turns::of(3);
        let begun = turns.since;
        while begun.elapsed() < TURN {}
        turns.step();
        turns.step();
        assert_eq!(turns.since, begun);
        turns.step();
        assert!(turns.since >= begun + TURN);
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
