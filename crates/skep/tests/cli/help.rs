use skep::exit::Exit;

use crate::support::World;

/// What is typed before `--help`, for each help text there is.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["up"],
    &["share"],
    &["get"],
    &["peer"],
    &["serve"],
    &["make"],
    &["show"],
    &["add"],
    &["ls"],
    &["find"],
    &["user"],
    &["user", "add"],
    &["user", "set"],
    &["invite"],
    &["invite", "create"],
    &["invite", "use"],
    &["token"],
    &["token", "create"],
    &["access"],
    &["access", "add"],
    &["ban"],
    &["ban", "add"],
    &["audit"],
    &["hub"],
    &["config"],
    &["config", "show"],
    &["config", "check"],
    &["import"],
    &["export"],
    &["check"],
    &["load"],
    &["classic"],
    &["classic", "register"],
    &["classic", "lookup"],
    &["classic", "list"],
    &["classic", "beat"],
    &["classic", "exit"],
    &["classic", "fetch"],
    &["completions"],
    &["man"],
];

#[tokio::test]
async fn each_command_explains_itself() {
    for command in COMMANDS {
        let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let ran = World::new().run(&args).await.ended(Exit::Success);
        let text = ran.stdout.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(format!("help-{}", command.join("-")), text);
        assert!(ran.stdout.contains("Example"), "`skep {} --help` shows no example", command.join(" "));
    }
}

#[tokio::test]
async fn no_command_has_been_forgotten_here() {
    let help = World::new().run(&["--help"]).await.stdout;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for line in listed.filter(|line| !line.starts_with("   ")) {
        let name = line.split_whitespace().next().unwrap();
        assert!(COMMANDS.iter().any(|command| command.first() == Some(&name)), "`{name}`");
    }
}

#[tokio::test]
async fn a_misspelt_command_gets_advice() {
    let ran = World::new().run(&["exprt"]).await.ended(Exit::Misuse);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("unrecognized subcommand 'exprt'"), "{}", ran.stderr);
    assert!(ran.stderr.contains("'export'"), "{}", ran.stderr);
    let ran = World::new().run(&["ls", "--jsn"]).await.ended(Exit::Misuse);
    assert!(ran.stderr.contains("'--json'"), "{}", ran.stderr);
}

#[tokio::test]
async fn without_a_command_there_is_help_and_a_complaint() {
    let ran = World::new().run(&[]).await.ended(Exit::Misuse);
    assert!(ran.stderr.contains("Usage: skep"), "{}", ran.stderr);
}

#[tokio::test]
async fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = World::new().run(&["completions", shell]).await.ended(Exit::Success);
        assert!(ran.stdout.contains("export"), "{shell}");
    }
}

#[tokio::test]
async fn manual_pages_are_printed_and_written() {
    let world = World::new();
    let ran = world.run(&["man"]).await.ended(Exit::Success);
    assert!(ran.stdout.contains(".TH skep 1"), "{}", ran.stdout);
    let ran = world.run(&["man", "--dir", "pages"]).await.ended(Exit::Success);
    assert_eq!(ran.stderr, "the manual pages are in DIR/pages\n");
    for command in COMMANDS {
        let page = ["skep"].iter().chain(*command).copied().collect::<Vec<_>>().join("-");
        let text = std::fs::read_to_string(world.path(&format!("pages/{page}.1"))).unwrap();
        assert!(text.contains("Example"), "{page}");
    }
}
