use serde_json::{Value, json};
use skep::exit::Exit;

use crate::support::World;

#[tokio::test]
async fn the_defaults_are_shown_with_what_they_mean() {
    let ran = World::new().run(&["config", "show"]).await.ended(Exit::Success);
    insta::assert_snapshot!("config-show", ran.stdout);
}

#[tokio::test]
async fn what_is_shown_is_a_configuration() {
    let world = World::new();
    let shown = world.run(&["config", "show"]).await.ended(Exit::Success).stdout;
    world.write("skep.toml", shown.replace("DIR", "/nowhere"));
    world.run(&["config", "check"]).await.ended(Exit::Success);
}

#[tokio::test]
async fn each_layer_overrides_the_one_before_and_is_named() {
    let world = World::new()
        .var("SKEP_TRACKER__WANT_MAX", "99")
        .var("SKEP_LISTEN", "127.0.0.1:7000, [::1]:7000")
        .var("SKEP_HTTP__TRUSTED_PROXIES", "10.0.0.0/8")
        .var("SKEP_TRACKER__FULL_SCRAPE", "true")
        .var("SKEP_ADMIN_TOKEN", "12345")
        .var("SKEP_UDP__WORKERS", "");
    world.write(
        "skep.toml",
        "state_dir = 'state'\n[tracker]\nwant_max = 70\nwant_default = 30\nmemory_max = '64 MiB'\n[udp]\nworkers = 3",
    );
    let ran = world.run(&["config", "show", "--state-dir", "elsewhere"]).await.ended(Exit::Success);
    for line in [
        "listen = [\"127.0.0.1:7000\", \"[::1]:7000\"]  # from SKEP_LISTEN",
        "state_dir = \"DIR/elsewhere\"  # from --state-dir",
        "# admin_token = (not shown)  # from SKEP_ADMIN_TOKEN",
        "want_max = 99  # from SKEP_TRACKER__WANT_MAX",
        "want_default = 30  # from skep.toml",
        "memory_max = \"64 MiB\"  # from skep.toml",
        "full_scrape = true  # from SKEP_TRACKER__FULL_SCRAPE",
        "trusted_proxies = [\"10.0.0.0/8\"]  # from SKEP_HTTP__TRUSTED_PROXIES",
        "workers = 3  # from skep.toml",
        "jitter_pct = 10",
    ] {
        assert!(ran.stdout.lines().any(|shown| shown == line), "`{line}` is not in\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("12345"));
}

#[tokio::test]
async fn json_is_for_scripts() {
    let world = World::new().var("SKEP_ADMIN_TOKEN", "secret");
    let ran = world.run(&["config", "show", "--json"]).await.ended(Exit::Success);
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(shown["tracker"]["interval_secs"], json!(1800));
    assert_eq!(shown["client"]["tracker"], json!("http://localhost:6969"));
    assert_eq!(shown.get("admin_token"), None);
}

#[tokio::test]
async fn a_relative_state_directory_starts_where_it_is_written() {
    let world = World::new();
    world.write("etc/hub.toml", "state_dir = 'state'");
    let ran = world.run(&["config", "show", "--config", "etc/hub.toml"]).await.ended(Exit::Success);
    assert!(ran.stdout.contains("state_dir = \"DIR/etc/state\"  # from etc/hub.toml"), "{}", ran.stdout);
    let world = World::new().var("SKEP_STATE_DIR", "state");
    let ran = world.run(&["config", "show"]).await.ended(Exit::Success);
    assert!(ran.stdout.contains("state_dir = \"DIR/state\"  # from SKEP_STATE_DIR"), "{}", ran.stdout);
}

#[tokio::test]
async fn the_file_is_found_or_named() {
    let world = World::new();
    let ran = world.run(&["config", "check"]).await.ended(Exit::Success);
    assert_eq!(ran.stdout, "there is no skep.toml; the defaults and the environment are right\n");
    world.write("config/skep/skep.toml", "");
    let ran = world.run(&["config", "check"]).await.ended(Exit::Success);
    assert_eq!(ran.stdout, "DIR/config/skep/skep.toml is right\n");
    world.write("skep.toml", "");
    let ran = world.run(&["config", "check"]).await.ended(Exit::Success);
    assert_eq!(ran.stdout, "DIR/skep.toml is right\n");
    let ran = world.run(&["config", "check", "--config", "other.toml"]).await.ended(Exit::Misuse);
    let expected =
        "error: cannot read the configuration other.toml: No such file or directory (os error 2)\n";
    assert_eq!(ran.stderr, expected);
    let world = World::new().var("SKEP_CONFIG", "named.toml");
    world.write("named.toml", "");
    let ran = world.run(&["config", "check"]).await.ended(Exit::Success);
    assert_eq!(ran.stdout, "DIR/named.toml is right\n");
}

#[tokio::test]
async fn each_fault_of_a_file_is_one_line_that_says_what_to_do() {
    for (file, expected) in [
        (
            "[tracker]\nintervall_secs = 5",
            "skep.toml: there is no key `tracker.intervall_secs`; did you mean `tracker.interval_secs`?",
        ),
        (
            "interval_secs = 5",
            "skep.toml: there is no key `interval_secs`; did you mean `tracker.interval_secs`?",
        ),
        ("[trakcer]\nwant_max = 5", "skep.toml: there is no section [trakcer]; did you mean [tracker]?"),
        ("[zzz]\nwant_max = 5", "skep.toml: there is no section [zzz]; `skep config show` lists all keys"),
        ("zzz = 1", "skep.toml: there is no key `zzz`; `skep config show` lists all keys"),
        (
            "tracker = 'http://hub'",
            "skep.toml: `tracker` is a section; write [tracker] and its keys below it; the address of the hub that \
             commands talk to is `client.tracker`",
        ),
        ("udp = 4", "skep.toml: `udp` is a section; write [udp] and its keys below it"),
        (
            "[tracker]\ninterval_secs = '30 min'",
            "skep.toml: `tracker.interval_secs` is \"30 min\": a whole number from 0 to 4294967295 is expected",
        ),
        (
            "[tracker]\ninterval_secs = -1",
            "skep.toml: `tracker.interval_secs` is -1: a whole number from 0 to 4294967295 is expected",
        ),
        ("[tracker]\nfull_scrape = 1", "skep.toml: `tracker.full_scrape` is 1: true or false is expected"),
        (
            "publish = 'nobody'",
            "skep.toml: `publish` is \"nobody\": \"anyone\" or \"uploaders\" or \"token\" is expected",
        ),
        (
            "[tracker]\nmemory_max = 'much'",
            "skep.toml: `tracker.memory_max`: `much` is not a size: a number of bytes, or a size such as \"512 MiB\" or \
             \"2 GB\" is expected",
        ),
        (
            "listen = ['6969']",
            "skep.toml: `listen`: `6969` is not an address and port such as 0.0.0.0:6969 or [::]:6969",
        ),
        (
            "listen = 6969",
            "skep.toml: `listen` is 6969: a list, each an address and port such as 0.0.0.0:6969 or [::]:6969 is expected",
        ),
        ("admin_token = 7", "skep.toml: `admin_token` is 7: text is expected"),
        (
            "[tracker]\nwant_max = 0\nwant_default = 0",
            "skep.toml: `tracker.want_max` is 0: a number from 1 to 10000 is expected",
        ),
        ("[tracker\nx", "skep.toml:1:9: unclosed table, expected `]`"),
        ("a = 1\na = 2", "skep.toml:2:1: duplicate key"),
    ] {
        let world = World::new();
        world.write("skep.toml", file);
        let ran = world.run(&["config", "check"]).await.ended(Exit::Misuse);
        assert_eq!(ran.stderr, format!("error: {expected}\n"), "{file}");
    }
}

#[tokio::test]
async fn all_faults_are_told_each_on_its_line() {
    let world = World::new()
        .var("SKEP_TRACKER__INTERVAL", "5")
        .var("SKEP_LISTN", "127.0.0.1:1")
        .var("SKEP_TRAKER__WANT_MAX", "5");
    world.write("skep.toml", "[log]\nlevl = 'info'");
    let ran = world.run(&["config", "check"]).await.ended(Exit::Misuse);
    assert_eq!(
        ran.stderr,
        "error: skep.toml: there is no key `log.levl`; did you mean `log.level`?\n\
         error: SKEP_LISTN: there is no key `listn`; did you mean SKEP_LISTEN?\n\
         error: SKEP_TRACKER__INTERVAL: there is no key `tracker.interval`; did you mean SKEP_TRACKER__INTERVAL_SECS?\n\
         error: SKEP_TRAKER__WANT_MAX: there is no key `traker.want_max`; did you mean SKEP_TRACKER__WANT_MAX?\n"
    );
}

#[tokio::test]
async fn values_that_contradict_each_other_are_told() {
    let world = World::new().var("SKEP_TRACKER__WANT_MAX", "20");
    let ran = world.run(&["config", "check"]).await.ended(Exit::Misuse);
    assert_eq!(
        ran.stderr,
        "error: `tracker.want_default` is 50: at most `tracker.want_max` (20) is expected\n"
    );
}

#[tokio::test]
async fn variables_of_a_container_platform_are_not_ours() {
    let world = World::new()
        .var("SKEP_SERVICE_HOST", "10.0.0.1")
        .var("SKEP_PORT", "tcp://10.0.0.1:6969")
        .var("SKEP_PORT_6969_TCP", "tcp://10.0.0.1:6969");
    world.run(&["config", "check"]).await.ended(Exit::Success);
}

#[tokio::test]
async fn without_a_home_the_state_directory_must_be_named() {
    let world = World::new();
    let (mut env, _, stderr) = world.env();
    env.data_dir = None;
    assert_eq!(skep::run(["skep", "config", "check"], &mut env).await, Exit::Misuse);
    let expected =
        "error: `state_dir` is empty: the path of a directory that the hub may write to is expected\n";
    assert_eq!(stderr.text(), expected);
}
