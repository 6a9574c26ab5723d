//! What must hold in any swarm, in virtual time.

use engine::{Layout, MILLISECOND, Micros, SECOND};

mod sim;

use sim::{Client, Fault, Leaves, Setup, Spec, World};

const MB: u64 = 1_000_000;
const LIMIT: Micros = 600 * SECOND;

fn world(seed: u64, peers: Vec<Spec>) -> World {
    sized(seed, 8 << 20, peers)
}

fn sized(seed: u64, size: u64, peers: Vec<Spec>) -> World {
    let layout = Layout::new(size, 64 << 10).expect("pieces are not empty");
    World::new(&Setup { layout, delay: MILLISECOND, seed, peers })
}

fn leechers(n: usize) -> Vec<Spec> {
    vec![Spec::leecher(10 * MB, 10 * MB); n]
}

fn with_seeder(mut others: Vec<Spec>) -> Vec<Spec> {
    others.insert(0, Spec::seeder(10 * MB, 10 * MB));
    others
}

/// Everybody is done, and said so once; a seeder never says it.
fn assert_all_done(world: &mut World, seed: u64) {
    assert!(world.run(LIMIT), "seed {seed}: not all finished by {} s", world.now / SECOND);
    for node in world.nodes.iter().filter(|node| node.spec.client == Client::Ours) {
        let expected = u32::from(!node.spec.seeds && node.finished.is_some());
        assert_eq!(node.completions, expected, "seed {seed}");
    }
}

#[test]
fn everyone_finishes_near_the_fluid_limit() {
    for seed in 0..5 {
        let mut world = sized(seed, 32 << 20, with_seeder(leechers(10)));
        assert_all_done(&mut world, seed);
        assert!(world.ratio() < 1.3, "seed {seed}: {}", world.ratio());
    }
}

#[test]
fn a_capped_seeder_sends_each_byte_about_once() {
    for seed in 0..5 {
        let mut peers = vec![Spec::leecher(100 * MB, 100 * MB); 3];
        peers.push(Spec::seeder(20 * MB, 20 * MB));
        let mut world = sized(seed, 64 << 20, peers);
        assert_all_done(&mut world, seed);
        assert!(world.ratio() < 1.15, "seed {seed}: {}", world.ratio());
        assert!(world.seeder_copies() < 1.1, "seed {seed}: {}", world.seeder_copies());
    }
}

#[test]
fn a_seeder_on_an_equal_link_spends_little_more_than_a_copy_on_three() {
    for seed in 0..5 {
        let mut world = sized(seed, 64 << 20, with_seeder(leechers(3)));
        assert_all_done(&mut world, seed);
        assert!(world.seeder_copies() < 1.1, "seed {seed}: {}", world.seeder_copies());
    }
}

#[test]
fn a_fast_seeder_helps_on_where_the_others_are_slow() {
    for seed in 0..5 {
        let mut peers = vec![Spec::leecher(10 * MB, 100 * MB); 10];
        peers.push(Spec::seeder(100 * MB, 100 * MB));
        let mut world = sized(seed, 64 << 20, peers);
        assert_all_done(&mut world, seed);
        assert!(world.ratio() < 1.25, "seed {seed}: {}", world.ratio());
    }
}

#[test]
fn a_seeder_helps_again_when_nobody_else_has_all() {
    for seed in 0..5 {
        // The first leecher has everything when it leaves, and the second comes when nobody else is there.
        let peers = vec![
            Spec::seeder(10 * MB, 10 * MB),
            Spec::leecher(10 * MB, 10 * MB).leaves(Leaves::At(5 * SECOND)),
            Spec::leecher(10 * MB, 10 * MB).joins(4 * SECOND),
        ];
        let mut world = sized(seed, 32 << 20, peers);
        assert_all_done(&mut world, seed);
        assert!(world.now < 9 * SECOND, "seed {seed}: {} s", world.now / SECOND);
    }
}

#[test]
fn one_to_one_fills_the_link() {
    for seed in 0..3 {
        let mut world = sized(seed, 64 << 20, with_seeder(leechers(1)));
        assert_all_done(&mut world, seed);
        assert!(world.ratio() < 1.05, "seed {seed}: {}", world.ratio());
    }
}

#[test]
fn other_clients_are_served_too_and_spread_what_they_get() {
    for client in [Client::InOrder, Client::RarestFirst] {
        for seed in 0..3 {
            let theirs = leechers(6).into_iter().map(|spec| spec.client(client)).collect();
            let mut world = world(seed, with_seeder(theirs));
            assert_all_done(&mut world, seed);
            assert!(world.seeder_copies() < 2.5, "seed {seed}: {}", world.seeder_copies());
        }
    }
}

#[test]
fn another_client_may_be_the_seeder() {
    for seed in 0..3 {
        let mut peers = leechers(6);
        peers.push(Spec::seeder(10 * MB, 10 * MB).client(Client::RarestFirst));
        let mut world = world(seed, peers);
        assert_all_done(&mut world, seed);
    }
}

#[test]
fn the_seeder_may_leave_once_one_copy_is_out() {
    for seed in 0..10 {
        let mut peers = leechers(8);
        peers.push(Spec::seeder(10 * MB, 10 * MB).leaves(Leaves::OneCopyOut));
        let mut world = world(seed, peers);
        assert_all_done(&mut world, seed);
    }
}

#[test]
fn peers_may_come_and_go() {
    for seed in 0..10 {
        let mut peers = with_seeder(leechers(6));
        for n in 0..10 {
            let joins = n * 150 * MILLISECOND;
            peers.push(
                Spec::leecher(10 * MB, 10 * MB).joins(joins).leaves(Leaves::At(joins + 400 * MILLISECOND)),
            );
            peers.push(Spec::leecher(10 * MB, 10 * MB).joins(joins));
        }
        let mut world = world(seed, peers);
        assert_all_done(&mut world, seed);
    }
}

#[test]
fn liars_are_found_out_and_nothing_bad_is_kept() {
    for seed in 0..10 {
        let mut peers = with_seeder(leechers(5));
        let liar = Spec::seeder(10 * MB, 10 * MB).fault(Fault::Liar);
        peers.extend([liar.clone(), liar]);
        let mut world = world(seed, peers);
        assert_all_done(&mut world, seed);
        let banned: usize = world.nodes.iter().map(|node| node.banned.len()).sum();
        assert!(banned > 0, "seed {seed}");
        let liars: Vec<_> = [6, 7].map(|index| sim::endpoint(index).ip()).to_vec();
        for node in &world.nodes {
            assert!(node.banned.iter().all(|ip| liars.contains(ip)), "seed {seed}: an honest peer is banned");
        }
    }
}

#[test]
fn snubbers_hold_nobody_up_for_long() {
    for seed in 0..10 {
        let mut peers = with_seeder(leechers(5));
        let snubber = Spec::seeder(10 * MB, 10 * MB).fault(Fault::Snubber);
        peers.extend([snubber.clone(), snubber.clone(), snubber]);
        let mut world = world(seed, peers);
        assert_all_done(&mut world, seed);
        assert!(world.now < 30 * SECOND, "seed {seed}: {} s", world.now / SECOND);
    }
}

#[test]
fn those_who_give_are_served_before_those_who_do_not() {
    for seed in 0..3 {
        let mut peers = vec![Spec::leecher(5 * MB, 20 * MB); 20];
        peers.extend(vec![Spec::leecher(5 * MB, 20 * MB).fault(Fault::FreeRider); 10]);
        peers.push(Spec::seeder(25 * MB, 25 * MB));
        let mut world = sized(seed, 64 << 20, peers);
        assert_all_done(&mut world, seed);
        let median = |riders: bool| {
            let of_kind =
                |node: &&sim::Node| !node.spec.seeds && (node.spec.fault == Fault::FreeRider) == riders;
            let mut times: Vec<Micros> =
                world.nodes.iter().filter(of_kind).map(|node| node.finished.unwrap_or(world.now)).collect();
            times.sort_unstable();
            times[times.len() / 2]
        };
        assert!(
            median(true) > median(false) * 11 / 10,
            "seed {seed}: {} and {}",
            median(true),
            median(false)
        );
    }
}

#[test]
fn equals_finish_at_about_the_same_time() {
    for seed in 0..3 {
        let mut world = sized(seed, 32 << 20, with_seeder(leechers(12)));
        assert_all_done(&mut world, seed);
        let finished = world.nodes.iter().filter_map(|node| node.finished);
        let (first, last) = (finished.clone().filter(|&at| at > 0).min().unwrap(), finished.max().unwrap());
        assert!(last < first * 5 / 4, "seed {seed}: {first} to {last} µs");
    }
}

#[test]
fn limits_are_obeyed() {
    for seed in 0..3 {
        let mut peers = leechers(2);
        for peer in &mut peers {
            peer.config.download_limit = Some(MB);
        }
        peers.push(Spec::seeder(10 * MB, 10 * MB));
        let mut world = world(seed, peers);
        assert_all_done(&mut world, seed);
        let span = world.now as f64 / SECOND as f64;
        assert!((7.8..10.0).contains(&span), "seed {seed}: 8 MiB at 1 MB/s took {span} s");

        let mut seeder = Spec::seeder(100 * MB, 100 * MB);
        seeder.config.upload_limit = Some(2 * MB);
        let mut peers = leechers(3);
        peers.push(seeder);
        let mut world = self::world(seed, peers);
        assert_all_done(&mut world, seed);
        let span = world.now as f64 / SECOND as f64;
        assert!((3.9..5.0).contains(&span), "seed {seed}: 8 MiB at 2 MB/s took {span} s");
    }
}

#[test]
fn slow_and_distant_links_work_as_well() {
    let layout = Layout::new(1 << 20, 64 << 10).unwrap();
    let peers = vec![Spec::seeder(64 << 10, MB), Spec::leecher(32 << 10, MB), Spec::leecher(16 << 10, MB)];
    let mut world = World::new(&Setup { layout, delay: 150 * MILLISECOND, seed: 1, peers });
    assert_all_done(&mut world, 1);
    assert!(world.ratio() < 1.5, "{}", world.ratio());
}

#[test]
fn any_size_works() {
    for size in [1, 16 << 10, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, (1 << 20) - 5] {
        let mut world = sized(1, size, with_seeder(leechers(2)));
        assert_all_done(&mut world, 1);
    }
}
