//! The examples under packaging, and every command line that README, docs and help show: run in a shell in which
//! `tcpshake` only notes how it was called, and parsed by the definitions of the program.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and runs shells"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{CommandFactory, Parser};
use saphyr::{LoadableYamlNode, Yaml};
use tcpshake::cli::args::{self, Args, CheckArgs, MergeArgs};
use tcpshake::cli::targets::{Asked, gather};

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn yaml(path: &str) -> Vec<Yaml<'static>> {
    let text: &'static str = text(path).leak();
    Yaml::load_from_str(text).unwrap()
}

/// What stands at `path`, whose words are keys and places in lists.
fn at<'y>(yaml: &'y Yaml<'static>, path: &str) -> &'y Yaml<'static> {
    path.split_whitespace().fold(yaml, |found, word| {
        let next = match word.parse() {
            Ok(place) => found.as_sequence_get(place),
            Err(_) => found.as_mapping_get(word),
        };
        next.unwrap_or_else(|| panic!("there is no {word} of {path}"))
    })
}

fn word<'y>(yaml: &'y Yaml<'static>, path: &str) -> &'y str {
    at(yaml, path).as_str().unwrap_or_else(|| panic!("{path} is no text"))
}

fn number(yaml: &Yaml<'static>, path: &str) -> i64 {
    at(yaml, path).as_integer().unwrap_or_else(|| panic!("{path} is no number"))
}

fn list<'y>(yaml: &'y Yaml<'static>, path: &str) -> Vec<&'y Yaml<'static>> {
    at(yaml, path).as_sequence().unwrap_or_else(|| panic!("{path} is no list")).iter().collect()
}

/// A folder with a `tcpshake` that notes its arguments, gone with the value.
struct Shell {
    folder: tempfile::TempDir,
    /// Besides `tcpshake` and `sudo`.
    path: &'static str,
}

/// Notes its arguments by shell built-ins alone, for nothing else may be in PATH.
const NOTES: &str = "#!/bin/sh\nprintf '%s\\0' \"$#\" \"$@\" >>\"$CALLS\"\n";

impl Shell {
    /// With the programs of this machine, or with none.
    fn new(path: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        for (name, script) in [("tcpshake", NOTES), ("sudo", "#!/bin/sh\nexec \"$@\"\n")] {
            fs::write(bin.join(name), script).unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder, path }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Runs a script; tells its exit code, and each call of `tcpshake`.
    fn run(&self, script: &str, environment: &[(&str, &str)]) -> (i32, Vec<Vec<String>>) {
        let calls = self.folder.path().join("calls");
        fs::write(&calls, "").unwrap();
        let output = Command::new("/bin/sh")
            .args(["-c", script])
            .current_dir(self.work())
            .env_clear()
            .env("PATH", format!("{}:{}", self.folder.path().join("bin").display(), self.path))
            .env("CALLS", &calls)
            .env("GITHUB_STEP_SUMMARY", "summary.md")
            .envs(environment.iter().copied())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let noted = fs::read_to_string(calls).unwrap();
        let mut words = noted.split_terminator('\0').map(str::to_owned);
        let mut all = Vec::new();
        while let Some(count) = words.next() {
            all.push(words.by_ref().take(count.parse().unwrap()).collect());
        }
        (output.status.code().unwrap(), all)
    }

    /// The one call of a script that succeeds.
    fn call(&self, script: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let (code, mut calls) = self.run(script, environment);
        assert_eq!((code, calls.len()), (0, 1), "{script}");
        calls.pop().unwrap()
    }
}

const PROGRAMS: &str = "/usr/local/bin:/usr/bin:/bin";

fn parsed(call: &[String]) -> Result<args::Command, clap::Error> {
    Args::try_parse_from(["tcpshake"].into_iter().chain(call.iter().map(String::as_str)))
        .map(|args| args.command)
}

fn check(call: &[String]) -> Box<CheckArgs> {
    match parsed(call) {
        Ok(args::Command::Check(check)) => check,
        other => panic!("{call:?}: {other:?}"),
    }
}

fn merge(call: &[String]) -> MergeArgs {
    match parsed(call) {
        Ok(args::Command::Merge(merge)) => merge,
        other => panic!("{call:?}: {other:?}"),
    }
}

/// The parts in the order of their calls: all that there are, each once.
fn assert_parts(calls: &[Vec<String>]) {
    let of = calls.len() as u32;
    let parts: Vec<_> = calls
        .iter()
        .map(|call| check(call).chosen.shard.map(|part| (part.number(), part.of())).unwrap())
        .collect();
    let all: Vec<_> = (1..=of).map(|number| (number, of)).collect();
    assert_eq!(parts, all);
    assert!(of > 1);
}

fn ndjson(call: &[String]) -> PathBuf {
    let check = check(call);
    let mut reports = check.reports.report.iter();
    reports.find(|report| report.kind == args::ReportKind::Ndjson).unwrap().file.clone()
}

/// What the parts write is what is merged, all of it; where one is missing, `guard` fails.
fn assert_merged(parts: &[Vec<String>], shell: &Shell, guard: &str, script: &str, set: &[(&str, &str)]) {
    let files: Vec<PathBuf> = parts.iter().map(|call| ndjson(call)).collect();
    for file in &files {
        assert_ne!(shell.run(guard, set).0, 0, "{} is missing", file.display());
        fs::write(shell.work().join(file), "").unwrap();
    }
    assert_eq!(shell.run(guard, set).0, 0);
    let merged = merge(&shell.call(script, set)).files;
    assert_eq!(merged.iter().collect::<BTreeSet<_>>(), files.iter().collect());
}

const KUBERNETES: &str = "packaging/kubernetes/check.yaml";

/// Its ConfigMap and its Job.
fn kubernetes() -> [Yaml<'static>; 2] {
    let [map, job] = <[_; 2]>::try_from(yaml(KUBERNETES)).unwrap();
    assert_eq!((word(&map, "kind"), word(&job, "kind")), ("ConfigMap", "Job"));
    [map, job]
}

const CONTAINER: &str = "spec template spec containers 0";

/// How each part of the job calls the program.
fn pods(job: &Yaml<'static>) -> Vec<Vec<String>> {
    let container = at(job, CONTAINER);
    let command: Vec<&str> = list(container, "command").iter().map(|word| word.as_str().unwrap()).collect();
    let [shell @ .., script] = command.as_slice() else { panic!("{command:?}") };
    assert_eq!(shell, ["/bin/sh", "-c"]);
    let given: Vec<_> =
        list(container, "env").iter().map(|one| (word(one, "name"), word(one, "value"))).collect();
    let call = |index: i64| {
        let index = index.to_string();
        let mut given = given.clone();
        given.push(("JOB_COMPLETION_INDEX", &index));
        Shell::new("").call(script, &given)
    };
    (0..number(job, "spec completions")).map(call).collect()
}

#[test]
fn the_job_of_kubernetes_is_cut_by_its_index() {
    let [_, job] = kubernetes();
    assert_eq!(word(&job, "apiVersion"), "batch/v1");
    assert_eq!(word(&job, "spec completionMode"), "Indexed");
    assert_eq!(number(&job, "spec completions"), number(&job, "spec parallelism"));
    assert_eq!(word(&job, "spec template spec restartPolicy"), "Never", "a failure policy demands it");
    assert_parts(&pods(&job));
}

/// What has been found is no accident that another try would mend.
#[test]
fn the_job_repeats_no_part_that_has_found_something() {
    let [_, job] = kubernetes();
    let rule = at(&job, "spec podFailurePolicy rules 0");
    assert_eq!(word(rule, "action"), "FailIndex");
    assert!(number(&job, "spec backoffLimitPerIndex") > 0, "that action demands it");
    assert_eq!(word(rule, "onExitCodes containerName"), word(&job, &format!("{CONTAINER} name")));
    assert_eq!(word(rule, "onExitCodes operator"), "In");
    let codes: Vec<_> =
        list(rule, "onExitCodes values").iter().map(|code| code.as_integer().unwrap()).collect();
    let last = [tcpshake::cli::Exit::ExpectationFailed, tcpshake::cli::Exit::Usage];
    assert_eq!(codes, last.map(|exit| i64::from(exit.code())));
}

#[test]
fn the_job_has_no_privilege_but_raw_sockets() {
    let [_, job] = kubernetes();
    let context = at(&job, &format!("{CONTAINER} securityContext"));
    let words = |path| list(context, path).iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(words("capabilities drop"), ["ALL"]);
    assert_eq!(words("capabilities add"), ["NET_RAW"]);
    for (path, value) in
        [("allowPrivilegeEscalation", false), ("readOnlyRootFilesystem", true), ("privileged", false)]
    {
        let found = context.as_mapping_get(path).and_then(Yaml::as_bool);
        assert_eq!(found.unwrap_or_default(), value, "{path}");
    }
    assert_eq!(word(context, "seccompProfile type"), "RuntimeDefault");
}

/// Nothing can be written but standard output, and there everything goes.
#[test]
fn the_job_finds_its_files_and_writes_to_its_log_only() {
    let [map, job] = kubernetes();
    let call = &pods(&job)[0];
    let check = check(call);
    let folder = Path::new(word(&job, &format!("{CONTAINER} volumeMounts 0 mountPath")));
    let volume = at(&job, "spec template spec volumes 0");
    assert_eq!(word(volume, "name"), word(&job, &format!("{CONTAINER} volumeMounts 0 name")));
    assert_eq!(word(volume, "configMap name"), word(&map, "metadata name"));

    let scratch = tempfile::tempdir().unwrap();
    let copied = |file: &PathBuf| {
        let name = file.strip_prefix(folder).unwrap().to_str().unwrap();
        let copy = scratch.path().join(name);
        fs::write(&copy, word(at(&map, "data"), name)).unwrap();
        copy
    };
    let asked = Asked {
        files: check.targets.file.iter().map(copied).collect(),
        exclude_files: check.targets.exclude_file.iter().map(copied).collect(),
        ..Asked::default()
    };
    let gathered =
        gather(&asked).unwrap_or_else(|trouble| panic!("{:?}", trouble.lines().collect::<Vec<_>>()));
    assert!(gathered.list.len() > 100 && gathered.list.excluded() > 0);

    assert_eq!(ndjson(call), Path::new("-"));
    assert!(check.reports.quiet, "standard error goes to the same log");
    assert!(check.reports.pcap_failures.is_none() && check.reports.html.is_none());
    assert_eq!(check.reports.report.len(), 1);
}

/// GitHub puts values in before a shell sees the line.
fn filled(script: &str, values: &[(&str, &str)]) -> String {
    let filled = values.iter().fold(script.to_owned(), |script, (name, value)| {
        script.replace(&format!("${{{{ {name} }}}}"), value)
    });
    assert!(!filled.contains("${{"), "{filled}");
    filled
}

/// The script of a step that has this name.
fn step<'y>(workflow: &'y Yaml<'static>, job: &str, name: &str) -> &'y str {
    let steps = list(workflow, &format!("jobs {job} steps"));
    let found =
        steps.into_iter().find(|step| step.as_mapping_get("name").and_then(Yaml::as_str) == Some(name));
    word(found.unwrap_or_else(|| panic!("{job} has no step {name}")), "run")
}

#[test]
fn the_workflow_of_github_is_cut_by_its_matrix_and_merged() {
    let [workflow] = <[_; 1]>::try_from(yaml("packaging/github/check.yml")).unwrap();
    assert!(at(&workflow, "on").is_mapping());
    assert_eq!(at(&workflow, "jobs check strategy fail-fast").as_bool(), Some(false));
    let matrix = list(&workflow, "jobs check strategy matrix shard");
    let total = matrix.len().to_string();
    let call = |shard: &Yaml<'static>| {
        let shard = shard.as_integer().unwrap().to_string();
        let values = [("matrix.shard", shard.as_str()), ("strategy.job-total", &total)];
        Shell::new("").call(&filled(step(&workflow, "check", "Check"), &values), &[])
    };
    let parts: Vec<_> = matrix.into_iter().map(call).collect();
    assert_parts(&parts);
    assert_eq!(word(&workflow, "jobs merge needs"), "check");
    let shell = Shell::new(PROGRAMS);
    let scripts = ["All parts are here", "Merge"].map(|name| filled(step(&workflow, "merge", name), &[]));
    assert_merged(&parts, &shell, &scripts[0], &scripts[1], &[]);
}

#[test]
fn the_jobs_of_gitlab_are_cut_by_their_node_and_merged() {
    let [jobs] = <[_; 1]>::try_from(yaml("packaging/gitlab/check.gitlab-ci.yml")).unwrap();
    let parallel = number(&jobs, "check parallel");
    let total = parallel.to_string();
    let call = |node: i64| {
        let node = node.to_string();
        let given = [("CI_NODE_INDEX", node.as_str()), ("CI_NODE_TOTAL", &total)];
        Shell::new("").call(word(&jobs, "check script 0"), &given)
    };
    let parts: Vec<_> = (1..=parallel).map(call).collect();
    assert_parts(&parts);
    assert_eq!(word(&jobs, "merge when"), "always");
    let shell = Shell::new(PROGRAMS);
    let given = [("PARTS", word(&jobs, "merge variables PARTS"))];
    let script = |line| word(&jobs, &format!("merge script {line}"));
    assert_merged(&parts, &shell, script(0), script(1), &given);
}

/// Fenced blocks of a language.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    markdown.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// How often a script calls the program: at the beginning of a line, of a pipe's part, or behind sudo.
fn calls(script: &str) -> usize {
    let comments_gone = script.lines().map(|line| line.split(" #").next().unwrap());
    comments_gone
        .flat_map(|line| line.split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>())
        .filter(|part| part.trim_start_matches("sudo ").starts_with("tcpshake "))
        .count()
}

/// Runs a script in which no other program is found, and parses what it calls.
fn assert_parse(place: &str, script: &str) -> usize {
    let (_, noted) = Shell::new("").run(script, &[]);
    assert_eq!(noted.len(), calls(script), "{place}: {script}");
    for call in &noted {
        if let Err(error) = parsed(call) {
            panic!("{place}: tcpshake {}\n{error}", call.join(" "));
        }
    }
    noted.len()
}

#[test]
fn every_command_line_that_readme_and_docs_show_can_be_typed() {
    for (place, least) in [("README.md", 15), ("docs/check.md", 3)] {
        let blocks = blocks(&text(place), "sh");
        let told: usize = blocks.iter().map(|script| assert_parse(place, script)).sum();
        assert!(told >= least, "{place}: {told}");
    }
}

#[test]
fn every_example_of_the_help_can_be_typed() {
    let mut told = 0;
    for command in Args::command().get_subcommands() {
        let help = command.get_long_about().map(ToString::to_string).unwrap_or_default();
        let examples = help.lines().map(str::trim).filter(|line| line.starts_with("tcpshake "));
        let examples: Vec<&str> = examples.collect();
        told += assert_parse(command.get_name(), &examples.join("\n"));
    }
    assert!(told > 15, "{told}");
}

/// The comments at the head of the examples.
#[test]
fn every_command_line_in_the_comments_of_the_examples_can_be_typed() {
    let comments = text(KUBERNETES);
    let lines = comments.lines().filter_map(|line| line.strip_prefix('#')).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| line.starts_with("tcpshake ")).collect();
    assert_eq!(assert_parse(KUBERNETES, &lines.join("\n")), 1);
}

/// What the image is called, and what it has.
#[test]
fn the_image_has_a_static_program_and_a_shell() {
    let dockerfile = text("packaging/Dockerfile");
    assert!(dockerfile.contains("target-feature=+crt-static"));
    let stages: Vec<&str> = dockerfile.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert!(stages.last().unwrap().starts_with("FROM busybox:"), "{stages:?}");
    let image = concat!("registry.example.org/tcpshake:", env!("CARGO_PKG_VERSION"));
    let [_, job] = kubernetes();
    let [jobs] = <[_; 1]>::try_from(yaml("packaging/gitlab/check.gitlab-ci.yml")).unwrap();
    let images =
        [word(&job, &format!("{CONTAINER} image")), word(&jobs, "check image"), word(&jobs, "merge image")];
    assert_eq!(images, [image; 3]);
}
