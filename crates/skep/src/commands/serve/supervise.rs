use std::fmt::Display;
use std::time::Duration;

use crate::env::Listening;
use crate::exit::{Failure, Outcome};

/// How long a hub may take to stop.
pub(in crate::commands) const STOP_MAX: Duration = Duration::from_secs(5);

/// What runs until it is stopped.
pub(in crate::commands) trait Service {
    type Fault: Display;

    /// Reads anew what may change while it runs.
    async fn reload(&self);

    /// Waits until somebody asks it itself to stop.
    async fn stop_requested(&self);

    /// Answers what is in hand, saves, and ends.
    async fn stop(self) -> Result<(), Self::Fault>;
}

impl Service for hub::Hub {
    type Fault = hub::StopError;

    async fn reload(&self) {
        self.reload().await;
    }

    async fn stop_requested(&self) {
        self.wait_shutdown_requested().await;
    }

    async fn stop(self) -> Result<(), hub::StopError> {
        self.shutdown().await
    }
}

/// Lets `service` run until it is asked to stop, and stops it; a second request, or its taking longer than `stop_max`,
/// ends the waiting. Meanwhile each request on `reload` has it read its files anew.
pub(in crate::commands) async fn supervise<S: Service>(
    service: S,
    stop: &mut Listening,
    reload: &mut Listening,
    stop_max: Duration,
) -> Outcome {
    loop {
        tokio::select! {
            () = stop.next() => break,
            () = service.stop_requested() => break,
            () = reload.next() => service.reload().await,
        }
    }
    tracing::info!("stopping; a second signal ends it at once");
    tokio::select! {
        biased;
        stopped = service.stop() => {
            stopped.map_err(|fault| Failure::Failed(format!("the hub stopped, but not cleanly: {fault}")))
        }
        () = stop.next() => Err(Failure::Failed("ended at once; what came since the last snapshot is not saved".to_owned())),
        () = tokio::time::sleep(stop_max) => {
            Err(Failure::Failed(format!("the hub did not stop within {} s", stop_max.as_secs())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::mpsc;

    use super::*;
    use crate::env::Requests;

    /// A service that asks to be stopped if it `asks`, and takes what stopping takes.
    struct Fake {
        asks: bool,
        reloads: Arc<AtomicUsize>,
        stopping: Stopping,
    }

    enum Stopping {
        Ends(Result<(), &'static str>),
        Never,
    }

    impl Service for Fake {
        type Fault = &'static str;

        async fn reload(&self) {
            self.reloads.fetch_add(1, Ordering::Relaxed);
        }

        async fn stop_requested(&self) {
            if !self.asks {
                pending::<()>().await;
            }
        }

        async fn stop(self) -> Result<(), &'static str> {
            match self.stopping {
                Stopping::Ends(result) => result,
                Stopping::Never => pending().await,
            }
        }
    }

    /// What comes of a service that gets so many requests to stop from outside.
    async fn outcome(asks: bool, stopping: Stopping, requests: usize, stop_max: Duration) -> Outcome {
        let (ask, asked) = mpsc::unbounded_channel();
        for _ in 0..requests {
            ask.send(()).unwrap();
        }
        let mut stop = Requests::Channel(asked).listen().unwrap();
        let fake = Fake { asks, reloads: Arc::default(), stopping };
        supervise(fake, &mut stop, &mut never(), stop_max).await
    }

    fn never() -> Listening {
        Requests::Channel(mpsc::unbounded_channel().1).listen().unwrap()
    }

    #[tokio::test]
    async fn it_reads_anew_as_often_as_it_is_asked_and_goes_on() {
        let (ask, asked) = mpsc::unbounded_channel();
        let (stop, stops) = mpsc::unbounded_channel();
        let reloads: Arc<AtomicUsize> = Arc::default();
        let fake = Fake { asks: false, reloads: reloads.clone(), stopping: Stopping::Ends(Ok(())) };
        let supervised = tokio::spawn(async move {
            let mut stop = Requests::Channel(stops).listen().unwrap();
            let mut reload = Requests::Channel(asked).listen().unwrap();
            supervise(fake, &mut stop, &mut reload, STOP_MAX).await
        });
        for times in 1..=2 {
            ask.send(()).unwrap();
            while reloads.load(Ordering::Relaxed) < times {
                tokio::task::yield_now().await;
            }
        }
        stop.send(()).unwrap();
        assert_eq!(supervised.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_request_from_either_side_stops_it() {
        assert_eq!(outcome(false, Stopping::Ends(Ok(())), 1, STOP_MAX).await, Ok(()));
        assert_eq!(outcome(true, Stopping::Ends(Ok(())), 0, STOP_MAX).await, Ok(()));
    }

    #[tokio::test]
    async fn a_fault_on_the_way_down_is_a_failure() {
        let failure = outcome(false, Stopping::Ends(Err("disk full")), 1, STOP_MAX).await.unwrap_err();
        assert_eq!(failure.message(), Some("the hub stopped, but not cleanly: disk full"));
    }

    #[tokio::test]
    async fn a_second_request_ends_it_at_once() {
        let failure = outcome(false, Stopping::Never, 2, STOP_MAX).await.unwrap_err();
        assert!(failure.message().unwrap().starts_with("ended at once"));
    }

    #[tokio::test]
    async fn it_is_not_waited_for_for_ever() {
        let failure = outcome(false, Stopping::Never, 1, Duration::ZERO).await.unwrap_err();
        assert_eq!(failure.message(), Some("the hub did not stop within 0 s"));
    }
}
