//! Programs that nobody here wrote, as clients and as servers; what is told of each is what a capture saw.

use tcpshake::time::Clock;

use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::listen::{SERVICE, Service};
use crate::near::Way;
use crate::run::{Dialogue, Folder, Run, Said, command, connect};
use crate::world::{PATIENCE, World};

pub(crate) const TESTS: &[Named] = &[
    ("listen_answers_a_request_by_curl_", curl),
    ("listen_echoes_what_is_typed_by_nc_", nc_as_client),
    ("connect_speaks_with_a_listener_by_nc_", nc_as_server),
    ("connect_fetches_a_page_served_by_python3_", python),
    ("connect_opens_a_control_connection_served_by_iperf3_", iperf3),
    ("connect_reads_an_ssh_banner_sent_by_dropbear_", ssh),
];

const PORT: u16 = 7000;
const TARGET: &str = "10.99.0.2:7000";

/// A program on the far host.
fn start(world: &World, program: &str, arguments: &[&str]) -> Dialogue {
    let (program, arguments) =
        (program.to_owned(), arguments.iter().map(ToString::to_string).collect::<Vec<_>>());
    world
        .lab
        .far
        .run(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            Ok(Dialogue::start(&mut command(program, &arguments)))
        })
        .expect("a program")
}

/// The same, once it listens.
fn serve(world: &World, program: &str, arguments: &[&str]) -> Dialogue {
    let server = start(world, program, arguments);
    let clock = Clock::new();
    let deadline = clock.now() + PATIENCE;
    while !world.lab.far.run(|| Ok(listens())).expect("a table of sockets") {
        assert!(clock.now() < deadline, "{program} does not listen");
        std::thread::yield_now();
    }
    server
}

/// Whether somebody listens on our port, as the kernel's tables tell.
fn listens() -> bool {
    const LISTEN: &str = "0A";
    let tables =
        ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/thread-self/net/{table}")));
    let port = format!(":{PORT:04X}");
    let is_ours = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.len() > 3 && fields[1].ends_with(&port) && fields[3] == LISTEN
    };
    tables.into_iter().flatten().any(|table| table.lines().any(is_ours))
}

/// Everything told is what was on the wire, and no RST of the kernel's was.
#[track_caller]
fn assert_true(world: &World, run: &Run) {
    let captured = world.capture.segments();
    assert_told_as_captured(run, &captured);
    if run.end()["verdict"] == "opened and closed, both FINs acknowledged" {
        assert_eq!(resets_from(&captured, Way::CABLE_V4.near), 0);
    }
}

fn curl() {
    let world = World::new();
    let page = "HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n";
    let service = Service::start(&["--respond", page, "--count", "1"]);
    let url = format!("http://{SERVICE}/");
    let said = start(&world, "curl", &["-sS", "-m", "10", &url]).wait().assert_well();
    assert_eq!(said.stdout, "hello\n");
    let run = service.finish();
    run.assert_ended(0, "completed");
    assert_true(&world, &run);
}

fn nc_as_client() {
    let world = World::new();
    let service = Service::start(&["--echo", "--count", "1"]);
    let (address, port) = (SERVICE.ip().to_string(), SERVICE.port().to_string());
    let mut nc = start(&world, "nc", &["-N", &address, &port]);
    nc.say_octets(b"typed\n");
    let said = nc.end().assert_well();
    assert_eq!(said.stdout, "typed\n");
    let run = service.finish();
    run.assert_ended(0, "completed");
    assert_true(&world, &run);
}

fn nc_as_server() {
    let world = World::new();
    let nc = serve(&world, "nc", &["-l", "10.99.0.2", &PORT.to_string()]);
    let run = connect(&[TARGET, "--send", "hello\\n"]);
    run.assert_ended(0, "completed");
    assert_eq!(nc.end().assert_well().stdout, "hello\n");
    assert_true(&world, &run);
}

fn python() {
    let world = World::new();
    let folder = Folder::new();
    let (served, saved) = (folder.file("page.html"), folder.file("saved"));
    let page = "<p>\u{fc}ber TCP</p>\n".repeat(1000);
    std::fs::write(&served, &page).unwrap();
    let root = served.trim_end_matches("/page.html");
    let port = PORT.to_string();
    let server = serve(&world, "python3", &["-m", "http.server", &port, "--bind", "10.99.0.2", "-d", root]);
    let request = "GET /page.html HTTP/1.0\\r\\n\\r\\n";
    let run = connect(&[TARGET, "--send", request, "--half-close", "--output", &saved, "--expect", "200 OK"]);
    run.assert_ended(0, "completed");
    let saved = std::fs::read_to_string(&saved).unwrap();
    assert_eq!(saved.split_once("\r\n\r\n").unwrap().1, page);
    assert_true(&world, &run);
    server.kill();
}

/// The control connection begins with a cookie of 36 letters and a zero; the server asks for parameters then.
fn iperf3() {
    const PARAM_EXCHANGE: &str = "\\t"; // 9 in iperf3's list of states
    let world = World::new();
    let server = serve(&world, "iperf3", &["-s", "-B", "10.99.0.2", "-p", &PORT.to_string()]);
    let cookie = format!("{}\\0", "tcpshake".repeat(5).split_at(36).0);
    let run = connect(&[TARGET, "--send", &cookie, "--until", "1", "--close", "reset"]);
    run.assert_ended(0, "completed");
    assert!(
        run.steps().any(|step| step["direction"] == "received" && step["text"] == PARAM_EXCHANGE),
        "{run:#?}"
    );
    assert_true(&world, &run);
    server.kill();
}

fn ssh() {
    let world = World::new();
    let folder = Folder::new();
    let key = folder.file("key");
    let made = Said::by(&mut command("dropbearkey", &["-t", "ed25519", "-f", &key]));
    assert_eq!(made.code, Some(0), "{made:?}");
    let (at, pid) = (format!("10.99.0.2:{PORT}"), folder.file("pid"));
    let server = serve(&world, "dropbear", &["-F", "-E", "-r", &key, "-p", &at, "-P", &pid]);
    let run = connect(&[TARGET, "--until", "\\n", "--expect", "^SSH-2.0-", "--close", "reset"]);
    run.assert_ended(0, "completed");
    assert_true(&world, &run);
    server.kill();
}
