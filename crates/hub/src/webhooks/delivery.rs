//! The way of messages to one receiver: in order, again and again where it fails, and not for ever.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::Counts;
use super::message::Message;

/// How long is waited before each further attempt: six hours in all, after which a message is given up.
const PAUSES_SECS: [u64; 7] = [5, 30, 120, 600, 1_800, 3_600, 15_000];

/// Why a message did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Miss {
    /// It may arrive later.
    Failed(String),
    /// The receiver wants no more (410).
    Gone,
}

/// What takes a message to a receiver.
pub(super) trait Post: Send + 'static {
    fn post(&self, message: &Message) -> impl Future<Output = Result<(), Miss>> + Send;
}

/// Takes messages to a receiver, which is called `name` in the log, until there are no more. Once the hub is stopping
/// each is tried once.
pub(super) async fn deliver(
    receiver: impl Post,
    name: &str,
    mut messages: mpsc::Receiver<Arc<Message>>,
    mut stopping: watch::Receiver<bool>,
    counts: &Counts,
) {
    while let Some(message) = messages.recv().await {
        let mut pauses = PAUSES_SECS.into_iter();
        loop {
            let why = match receiver.post(&message).await {
                Ok(()) => {
                    counts.delivered.fetch_add(1, Relaxed);
                    break;
                }
                Err(Miss::Gone) => {
                    tracing::warn!(
                        webhook = name,
                        "it wants no more messages, and gets none until the next start"
                    );
                    return;
                }
                Err(Miss::Failed(why)) => why,
            };
            let Some(secs) = pauses.next().filter(|_| !*stopping.borrow()) else {
                tracing::error!(webhook = name, id = message.id, "a message is given up: {why}");
                counts.failed.fetch_add(1, Relaxed);
                break;
            };
            tracing::warn!(webhook = name, id = message.id, "trying again in {secs} s: {why}");
            tokio::select! {
                () = sleep(Duration::from_secs(secs)) => {}
                // Where nobody can stop it any more, it is stopped.
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use tokio::time::Instant;

    use super::*;

    /// A receiver that answers as it is told, and notes what it gets and when.
    #[derive(Clone)]
    struct Scripted(Arc<Mutex<Script>>);

    struct Script {
        answers: Vec<Result<(), Miss>>,
        got: Vec<(String, Instant)>,
    }

    impl Scripted {
        fn new(answers: Vec<Result<(), Miss>>) -> Self {
            Self(Arc::new(Mutex::new(Script { answers, got: Vec::new() })))
        }

        /// What it got, and how many seconds after the first.
        fn got(&self) -> Vec<(String, u64)> {
            let got = &self.0.lock().got;
            let first = got[0].1;
            got.iter().map(|(id, at)| (id.clone(), at.duration_since(first).as_secs())).collect()
        }
    }

    impl Post for Scripted {
        async fn post(&self, message: &Message) -> Result<(), Miss> {
            let Script { answers, got } = &mut *self.0.lock();
            got.push((message.id.clone(), Instant::now()));
            if answers.is_empty() { Ok(()) } else { answers.remove(0) }
        }
    }

    fn failed() -> Result<(), Miss> {
        Err(Miss::Failed("500 Internal Server Error".into()))
    }

    async fn run(answers: Vec<Result<(), Miss>>, is_stopping: bool) -> (Vec<(String, u64)>, [u64; 2]) {
        let receiver = Scripted::new(answers);
        let (sender, messages) = mpsc::channel(9);
        for id in ["a", "b"] {
            sender.send(Arc::new(Message { id: id.into(), body: "{}".into() })).await.unwrap();
        }
        drop(sender);
        let (_stop, stopping) = watch::channel(is_stopping);
        let counts = Counts::default();
        deliver(receiver.clone(), "test", messages, stopping, &counts).await;
        (receiver.got(), [counts.delivered.load(Relaxed), counts.failed.load(Relaxed)])
    }

    fn got(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(id, secs)| ((*id).to_owned(), *secs)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn messages_come_in_order_and_again_after_longer_and_longer_pauses() {
        let (seen, counts) = run(vec![failed(), failed(), Ok(())], false).await;
        assert_eq!(seen, got(&[("a", 0), ("a", 5), ("a", 35), ("b", 35)]));
        assert_eq!(counts, [2, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_given_up_in_the_end_and_the_next_is_not() {
        let (seen, counts) = run(vec![failed(); 8], false).await;
        assert_eq!(seen.len(), 9);
        assert_eq!((seen[7].clone(), seen[8].clone()), (("a".into(), 21_155), ("b".into(), 21_155)));
        assert_eq!(counts, [1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_is_gone_gets_no_more() {
        let (seen, counts) = run(vec![Err(Miss::Gone)], false).await;
        assert_eq!((seen, counts), (got(&[("a", 0)]), [0, 0]));
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_hub_stops_each_is_tried_once() {
        let (seen, counts) = run(vec![failed()], true).await;
        assert_eq!((seen, counts), (got(&[("a", 0), ("b", 0)]), [1, 1]));
    }
}
