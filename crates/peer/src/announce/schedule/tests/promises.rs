//! The promises of the schedule, held against any mixture of answers, refusals, silence and changes.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What a torrent goes through: something happens after so many seconds.
#[derive(Debug, Clone)]
enum Step {
    Download,
    Finish,
    Damage,
    Pause,
    Resume,
    Wish(u32, bool),
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let step = prop_oneof![
        Just(Step::Download),
        Just(Step::Finish),
        Just(Step::Damage),
        Just(Step::Pause),
        Just(Step::Resume),
        (0_u32..500, any::<bool>()).prop_map(|(peers, badly)| Step::Wish(peers, badly)),
    ];
    (0_u64..4000, step)
}

fn outcome() -> impl Strategy<Value = Result<Answer, Miss>> {
    let said = |reason: &str| reason.to_owned();
    prop_oneof![
        6 => (0_u32..4000, proptest::option::of(0_u32..2000)).prop_map(|(interval, min)| Ok(answer(interval, min))),
        2 => Just(Err(Miss::Failed(said("silent")))),
        1 => Just(Err(Miss::Refused { reason: said("no"), retry_in: None })),
        1 => (0_u32..60).prop_map(|min| Err(Miss::Refused { reason: "later".into(), retry_in: Some(RetryIn::Minutes(min)) })),
        1 => Just(Err(Miss::Absent)),
    ]
}

fn tiers() -> impl Strategy<Value = Vec<Vec<String>>> {
    let url = (0_u8..5, any::<bool>()).prop_map(|(host, udp)| {
        let host = if host < 3 { format!("t{host}.example") } else { format!("10.0.0.{host}") };
        if udp { format!("udp://{host}:80") } else { format!("http://{host}/announce") }
    });
    proptest::collection::vec(proptest::collection::vec(url, 1..4), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn are_kept(
        tiers in tiers(),
        private in any::<bool>(),
        left in prop_oneof![Just(None), Just(Some(0)), Just(Some(1000_u64))],
        steps in proptest::collection::vec(step(), 0..12),
        fates in proptest::collection::vec((0_u64..40_000, outcome()), 1..40),
        never in proptest::option::weighted(0.2, 0_usize..30),
        seed in any::<u64>(),
    ) {
        let refs: Vec<Vec<&str>> = tiers.iter().map(|tier| tier.iter().map(String::as_str).collect()).collect();
        let refs: Vec<&[&str]> = refs.iter().map(Vec::as_slice).collect();
        let mut world = World::new(&refs, private, left, seed);
        let mut count = 0;
        let mut fate = |_: &Ask, _: Duration| {
            let (millis, outcome) = fates[count % fates.len()].clone();
            count += 1;
            let outcome = if Some(count) == never {
                Err(Miss::Refused { reason: "never".into(), retry_in: Some(RetryIn::Never) })
            } else {
                outcome
            };
            Fate { after: Duration::from_millis(millis), outcome }
        };
        let mut progress = Progress { left, ..Progress::default() };
        let mut until = Duration::ZERO;
        for (after, step) in steps {
            until += secs(after);
            world.run(until, &mut fate);
            match step {
                Step::Download => progress = Progress { downloaded: progress.downloaded + 10, left: Some(500), ..progress },
                Step::Finish => progress = Progress { downloaded: progress.downloaded + 10, left: Some(0), ..progress },
                Step::Damage => progress.left = Some(16),
                Step::Pause => progress.partial = true,
                Step::Resume => progress.partial = false,
                Step::Wish(peers, badly) => world.schedule.wish(Wish { peers, badly }),
            }
            world.schedule.report(progress);
        }
        until += secs(10_000);
        world.run(until, &mut fate);
        let stopped_at = world.now;
        world.schedule.stop();
        world.run(until + secs(1000), &mut fate);

        prop_assert!(world.schedule.is_over());
        prop_assert_eq!(world.schedule.poll(world.now).map(|ask| ask.event), None);
        check_lines(&world, stopped_at)?;
        check_completed(&world, left)?;
        if private {
            check_private(&world, stopped_at)?;
        }
    }
}

fn check_lines(world: &World, stopped_at: Duration) -> Result<(), TestCaseError> {
    let mut lines: HashMap<LineId, Vec<&Told>> = HashMap::new();
    for told in &world.told {
        lines.entry(told.id).or_default().push(told);
    }
    for told in lines.values() {
        let answered = |told: &&&Told| told.outcome.is_ok();
        let first = told.iter().position(|told| told.outcome.is_ok());
        for (at, one) in told.iter().enumerate() {
            let begins = first.is_none_or(|first| at <= first);
            prop_assert_eq!(one.event == Event::Started, begins, "{:?}", told);
            prop_assert_eq!(one.event == Event::Stopped, begins_leave(told, at, stopped_at), "{:?}", told);
            prop_assert!(one.want <= WANT_MAX);
        }
        let stopped = told.iter().filter(|told| told.event == Event::Stopped).count();
        let never = told.iter().any(|told| is_never(told));
        prop_assert_eq!(stopped, usize::from(told.iter().any(|t| answered(&t)) && (!never || stopped == 1)));
        for pair in told.windows(2) {
            check_gap(pair[0], pair[1])?;
        }
    }
    Ok(())
}

/// Of what is asked after leave began, the last is `stopped`; a `completed` may come before it.
fn begins_leave(told: &[&Told], at: usize, stopped_at: Duration) -> bool {
    told[at].at >= stopped_at && told[at].event != Event::Completed && at + 1 == told.len()
}

fn is_never(told: &Told) -> bool {
    matches!(told.outcome, Err(Miss::Refused { retry_in: Some(RetryIn::Never), .. }))
}

fn check_gap(one: &Told, next: &Told) -> Result<(), TestCaseError> {
    prop_assert!(next.at >= one.done_at, "two at a time");
    if next.event == Event::Stopped {
        return Ok(());
    }
    prop_assert!(!is_never(one), "{:?}", next);
    let gap = next.at - one.done_at;
    match &one.outcome {
        Ok(answer) if next.event == Event::Update => {
            let min = answer.min_interval.unwrap_or(answer.interval.unwrap_or(0).min(120)).max(5);
            prop_assert!(gap >= secs(min.into()), "{:?} after {:?}", gap, answer);
            let interval = answer.interval.unwrap_or(0).max(min);
            prop_assert!(gap <= secs(interval.into()).mul_f64(1.05), "{:?} after {:?}", gap, answer);
        }
        Ok(_) => {}
        Err(Miss::Refused { retry_in: Some(RetryIn::Minutes(minutes)), .. }) => {
            prop_assert!(gap >= secs(60 * u64::from(*minutes)) && gap >= Duration::from_millis(7500));
        }
        Err(_) => prop_assert!(gap >= Duration::from_millis(7500), "{:?}", gap),
    }
    Ok(())
}

fn check_completed(world: &World, left: Option<u64>) -> Result<(), TestCaseError> {
    let heard = world.told.iter().filter(|told| told.event == Event::Completed && told.outcome.is_ok());
    let (mut lanes, mut hosts) = (HashMap::new(), HashMap::new());
    for told in heard {
        prop_assert_ne!(left, Some(0), "a fresh seeder");
        let tracker = &world.schedule.trackers[told.id.tracker];
        *lanes.entry(tracker.lane).or_insert(0) += 1;
        *hosts.entry(tracker.host).or_insert(0) += 1;
    }
    prop_assert!(lanes.values().chain(hosts.values()).all(|count| *count == 1), "{:?} {:?}", lanes, hosts);
    Ok(())
}

fn check_private(world: &World, stopped_at: Duration) -> Result<(), TestCaseError> {
    let mut by = None;
    for told in world.told.iter().filter(|told| told.done_at < stopped_at) {
        if told.outcome.is_ok() {
            let switched = by.replace(told.id.tracker).is_some_and(|before| before != told.id.tracker);
            prop_assert_eq!(told.dropped_peers, switched, "{:?}", told);
        }
        for other in &world.told {
            let together = other.at < told.done_at && told.at < other.done_at && other.at < stopped_at;
            prop_assert!(!together || other.id.tracker == told.id.tracker, "{:?} with {:?}", told, other);
        }
    }
    Ok(())
}
