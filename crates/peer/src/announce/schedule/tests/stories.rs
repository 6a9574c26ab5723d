use super::*;

const A: &str = "http://10.0.0.1/a";
const B: &str = "http://10.0.0.2/a";
const C: &str = "http://10.0.0.3/a";

#[test]
fn a_download_says_started_completed_and_stopped() {
    let mut world = World::new(&[&[A]], false, Some(100), 1);
    world.run(secs(10), yes);
    world.report(100, Some(0));
    world.run(secs(4000), yes);
    world.schedule.stop();
    world.run(secs(4001), yes);
    assert!(world.schedule.is_over());
    let [started, completed, update, second, stopped] = &world.told[..] else { panic!("{:?}", world.told) };
    assert_eq!((started.event, started.left, started.want), (Event::Started, Some(100), WANT_MAX));
    assert_eq!((completed.event, completed.at, completed.left), (Event::Completed, secs(10), Some(0)));
    let interval = completed.at + secs(1800)..=completed.at + secs(1890);
    assert!(update.event == Event::Update && interval.contains(&update.at), "{update:?}");
    assert_eq!(second.event, Event::Update);
    assert_eq!((stopped.event, stopped.want, stopped.at), (Event::Stopped, 0, secs(4000)));
}

#[test]
fn who_begins_complete_never_says_completed() {
    for left in [Some(0), None] {
        let mut world = World::new(&[&[A]], false, left, 1);
        world.run(secs(10), yes);
        world.report(0, Some(0));
        world.run(secs(10_000), yes);
        assert!(!world.events().contains(&Event::Completed), "{:?}", world.told);
    }
}

#[test]
fn a_magnet_that_downloads_says_completed() {
    let mut world = World::new(&[&[A]], false, None, 1);
    world.run(secs(10), yes);
    world.report(0, Some(100));
    world.report(100, Some(0));
    world.run(secs(20), yes);
    // What is damaged afterwards and got again is no second download.
    world.report(100, Some(16));
    world.report(116, Some(0));
    world.run(secs(10_000), yes);
    assert_eq!(world.events().iter().filter(|event| **event == Event::Completed).count(), 1);
}

#[test]
fn completed_waits_for_a_tracker_that_hears_it() {
    let mut world = World::new(&[&[A]], false, Some(100), 1);
    world.run(secs(600), no);
    world.report(100, Some(0));
    world.run(secs(1200), no);
    assert!(world.events().iter().all(|event| *event == Event::Started));
    let failures = world.told.len();
    world.run(secs(4000), yes);
    assert_eq!(world.events()[failures..failures + 2], [Event::Started, Event::Completed]);
}

#[test]
fn completed_is_said_before_stopped_even_by_who_leaves_at_once() {
    let mut world = World::new(&[&[A]], false, Some(100), 1);
    // The answer to `started` is still on its way when all is done.
    world.run(Duration::ZERO, |_, _| Fate { after: secs(1), outcome: Ok(answer(1800, None)) });
    world.report(100, Some(0));
    world.schedule.stop();
    assert!(!world.schedule.is_over());
    world.run(secs(5), yes);
    assert_eq!(world.events(), [Event::Started, Event::Completed, Event::Stopped]);
    assert!(world.schedule.is_over());
}

#[test]
fn two_addresses_of_one_host_hear_completed_once() {
    let mut world = World::new(&[&["http://hub:6969/announce"], &["udp://hub:6969"]], false, Some(1), 1);
    world.run(secs(10), yes);
    assert_eq!(world.told.len(), 4, "two protocols, two families");
    world.report(1, Some(0));
    world.run(secs(100), yes);
    let told = world.told.iter().filter(|told| told.event == Event::Completed);
    assert_eq!(told.count(), 1);
    let left = world.told[4..].iter().map(|told| told.left);
    assert!(
        left.clone().count() == 4 && left.into_iter().all(|left| left == Some(0)),
        "all hear of the seeder"
    );
}

#[test]
fn within_a_tier_the_next_is_tried_and_who_answers_comes_first() {
    let mut world = World::new(&[&[A, B, C]], false, Some(1), 7);
    let order: Vec<_> = world.schedule.lanes[0].tiers[0].clone();
    let only_last = |last: usize| {
        move |ask: &Ask, now: Duration| if ask.id.tracker == last { yes(ask, now) } else { no(ask, now) }
    };
    world.run(secs(10), only_last(order[2]));
    let asked: Vec<_> = world.told.iter().map(|told| told.id.tracker).collect();
    assert_eq!(asked, order, "each once");
    assert_eq!(world.schedule.lanes[0].tiers[0], [order[2], order[0], order[1]]);
    // It stays in use, and the others are left alone.
    world.run(secs(10_000), only_last(order[2]));
    assert!(world.told[3..].iter().all(|told| told.id.tracker == order[2]));
}

#[test]
fn the_order_within_a_tier_is_thrown_and_the_tiers_keep_theirs() {
    let first = |seed| {
        let schedule = World::new(&[&[A, B], &[C]], true, Some(1), seed).schedule;
        assert_eq!(schedule.lanes[0].tiers[1], [2]);
        schedule.lanes[0].tiers[0][0]
    };
    let firsts: Vec<_> = (0..20).map(first).collect();
    assert!(firsts.contains(&0) && firsts.contains(&1), "{firsts:?}");
}

#[test]
fn all_tiers_are_asked_but_of_a_private_torrent_one_tracker_at_a_time() {
    let mut world = World::new(&[&[A], &[B]], false, Some(1), 1);
    world.run(secs(10), yes);
    assert_eq!(world.told.len(), 2);

    let mut world = World::new(&[&[A], &[B]], true, Some(1), 1);
    world.run(secs(10), yes);
    assert_eq!(world.told.iter().map(|told| &*told.url).collect::<Vec<_>>(), [A]);
    // A goes down; B takes over, and its peers replace those of A.
    let a_down =
        |ask: &Ask, now: Duration| if ask.target.url.as_str() == A { no(ask, now) } else { yes(ask, now) };
    world.run(secs(2000), a_down);
    let switch = world.told.last().unwrap();
    assert!(switch.url == B && switch.event == Event::Started && switch.dropped_peers, "{switch:?}");
    assert!(world.told[..2].iter().all(|told| !told.dropped_peers));
    // Leave is taken of both.
    world.schedule.stop();
    world.run(secs(2001), yes);
    let stopped: Vec<_> =
        world.told.iter().filter(|told| told.event == Event::Stopped).map(|t| &*t.url).collect();
    assert_eq!(stopped, [A, B]);
}

#[test]
fn a_partial_seed_says_paused_in_every_announce() {
    let mut world = World::new(&[&[A]], false, Some(100), 1);
    world.run(secs(10), yes);
    let partial = Progress { left: Some(40), downloaded: 60, partial: true, ..Progress::default() };
    world.schedule.report(partial);
    world.run(secs(3000), yes);
    assert_eq!(world.events(), [Event::Started, Event::Paused, Event::Paused]);
    assert_eq!(world.secs()[1], 10);
    // It wants more after all: that is told, but not before the min interval is over.
    world.schedule.report(Progress { partial: false, ..partial });
    world.run(secs(4000), yes);
    assert_eq!(*world.events().last().unwrap(), Event::Update);
}

#[test]
fn who_badly_wants_peers_asks_early_and_then_less_and_less() {
    let mut world = World::new(&[&[A]], false, Some(100), 1);
    world.schedule.wish(Wish { peers: 30, badly: true });
    world.run(secs(3000), yes);
    assert_eq!(world.secs()[..6], [0, 60, 180, 420, 900, 1860], "min interval, doubled each time");
    assert!(world.told.iter().all(|told| told.want == 30));
    world.schedule.wish(Wish { peers: 0, badly: false });
    world.schedule.wish(Wish { peers: 30, badly: true });
    world.run(secs(3001), yes);
    assert_eq!(world.told.last().unwrap().at, secs(3000), "anew");
}

#[test]
fn failures_space_out_up_to_a_ceiling() {
    let mut world = World::new(&[&[A]], false, Some(1), 3);
    world.run(secs(24 * 3600), no);
    let waits: Vec<_> = world.secs().windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (at, wait) in waits.iter().enumerate() {
        let whole = (15_u64 << at.min(20)).min(1800);
        assert!((whole / 2..=whole + 2).contains(wait), "{at}: {wait} of {whole}");
    }
    assert!(waits.len() >= 48);
}

#[test]
fn retry_in_is_kept() {
    let mut world = World::new(&[&[A]], false, Some(1), 1);
    world.run(secs(10), |_, _| refused(Some(RetryIn::Minutes(90))));
    let status = &world.schedule.status(secs(10))[0];
    assert!(status.to_string().starts_with("http://10.0.0.1: tracker refused: not here; next announce in 9"));
    world.schedule.wish(Wish { peers: 200, badly: true });
    world.run(secs(90 * 60 - 1), yes);
    assert_eq!(world.told.len(), 1);
    world.run(secs(95 * 60), yes);
    assert_eq!(world.events()[..2], [Event::Started; 2]);
}

#[test]
fn who_says_never_is_not_asked_again() {
    let mut world = World::new(&[&[A]], false, Some(1), 1);
    world.run(secs(1), yes);
    world.run(secs(100_000), |_, _| refused(Some(RetryIn::Never)));
    assert_eq!(world.told.len(), 2);
    assert_eq!(world.schedule.wake_at(), None);
    assert_eq!(world.schedule.status(world.now)[0].state, State::GivenUp("not here".into()));
    world.schedule.stop();
    assert!(world.schedule.is_over());
}

#[test]
fn one_family_that_fails_is_no_failure_of_the_tracker() {
    let mut world = World::new(&[&["udp://t.example:1"], &["udp://t.example:1", B]], false, Some(1), 1);
    assert_eq!(world.schedule.trackers.len(), 2, "named twice, counted once");
    let fate = |ask: &Ask, now: Duration| match (ask.id.tracker, ask.family) {
        (0, Family::V6) => Fate { after: secs(0), outcome: Err(Miss::Absent) },
        _ => yes(ask, now),
    };
    world.run(secs(3000), fate);
    assert_eq!(world.schedule.lanes[0].current, Some(0));
    let status = &world.schedule.status(world.now)[0];
    assert_eq!(status.state, State::Answered { warning: None });
}

#[test]
fn addresses_that_are_none_are_told_and_harm_nobody() {
    let mut world = World::new(&[&["wss://t.example", " ", "what?"], &[A], &[]], true, Some(1), 1);
    world.run(secs(10), yes);
    assert_eq!(world.told.len(), 1);
    let status = world.schedule.status(world.now);
    assert_eq!(status.len(), 3);
    assert!(
        status.iter().any(|status| status.to_string().contains("`wss://t.example` is no tracker's address"))
    );
    let many: Vec<_> = (0..1000).map(|at| format!("http://10.0.0.1/{at}")).collect();
    let schedule = Schedule::new(&[many], false, Progress::default(), &mut world.dice);
    assert_eq!(schedule.trackers.len(), TRACKERS_MAX);
}

#[test]
fn absurd_intervals_are_brought_to_reason() {
    for (interval, min, first) in [
        (Some(0), Some(0), 5),
        (Some(10), None, 10),
        (Some(u32::MAX), Some(u32::MAX), 86_400),
        (None, None, 1800),
    ] {
        let mut world = World::new(&[&[A]], false, Some(1), 1);
        let said = Answer { interval, min_interval: min, ..Answer::default() };
        let until = secs(first + first / 15 + 1);
        world.run(until, |_, _| Fate { after: secs(0), outcome: Ok(said.clone()) });
        assert!(world.told[1].at >= secs(first), "{:?} {:?}: {:?}", interval, min, world.secs());
    }
}
