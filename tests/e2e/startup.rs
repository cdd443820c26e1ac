//! Faults at the start: one line with cause and remedy, a failing exit code, no panic.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::common::program::{Program, free_address};
use crate::common::server::{FreshServer, binary, temp_dir};

/// An unprivileged user, where root may do everything.
const NOBODY: u32 = 65_534;

/// Runs the server, which must fail, and returns the last line that it printed.
#[track_caller]
fn fails(command: &mut Command) -> String {
    let dir = temp_dir();
    let mut program = Program::spawn(command, &dir.path().join("output")).unwrap();
    let status = program.wait();
    let text = program.printed();
    assert!(status.code().is_some_and(|code| code != 0), "{status:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    let last = text.trim_end().lines().last().unwrap_or_default().to_owned();
    assert!(!last.is_empty(), "no cause is told");
    last
}

fn start(data_dir: &Path, listen: &str) -> Command {
    let mut command = Command::new(binary());
    command.args(["start", "--listen", listen, "--shards", "2", "--data-dir"]).arg(data_dir);
    command
}

#[test]
fn a_data_directory_in_use_is_named() {
    let first = FreshServer::start(&[]);
    let text = fails(&mut start(&first.data_dir(), &free_address().to_string()));
    assert!(text.contains(first.data_dir().to_str().unwrap()) && text.contains("in use"), "{text}");
    assert_eq!(first.client.get("/-/ready", &[]).status, 200);
}

#[test]
fn a_port_in_use_is_named() {
    let dir = temp_dir();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let text = fails(&mut start(&dir.path().join("data"), &address));
    assert!(text.contains(&address) && text.contains("in use"), "{text}");
}

#[test]
fn the_port_of_another_server_is_not_shared() {
    let first = FreshServer::start(&[]);
    let dir = temp_dir();
    let text = fails(&mut start(&dir.path().join("data"), &first.address.to_string()));
    assert!(text.contains("in use"), "{text}");
}

#[test]
fn a_directory_that_may_not_be_written_is_named() {
    let dir = temp_dir();
    let data_dir = dir.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = start(&data_dir, &free_address().to_string());
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY);
        if Command::new(binary()).arg("--version").uid(NOBODY).output().is_err() {
            eprintln!("SKIPPED: another user may not run {}", binary().display());
            return;
        }
    }
    let text = fails(&mut command);
    assert!(text.contains(data_dir.to_str().unwrap()) && text.contains("ermission"), "{text}");
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_data_directory_that_is_a_file_is_named() {
    let dir = temp_dir();
    let file = dir.path().join("data");
    fs::write(&file, "not a directory").unwrap();
    let text = fails(&mut start(&file, &free_address().to_string()));
    assert!(text.contains(file.to_str().unwrap()), "{text}");
}

#[test]
fn wrong_flags_are_explained() {
    let dir = temp_dir();
    let cases: [&[&str]; 6] = [
        &["start", "--no-such-flag"],
        &["start", "--wal-sync", "sometimes"],
        &["start", "--listen", "nowhere"],
        &["start", "--retention", "soon"],
        &["start", "--shards", "0"],
        &["begin"],
    ];
    for arguments in cases {
        let output = dir.path().join("output");
        let mut program = Program::start(&binary(), arguments, &output).unwrap();
        let status = program.wait();
        let text = program.printed();
        assert!(status.code().is_some_and(|code| code != 0), "{arguments:?}");
        assert!(text.contains(arguments[arguments.len() - 1]) && !text.contains("panicked"), "{text}");
    }
}

/// A file system of 24 MiB in a file, mounted for the test.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None` where that is not allowed.
    fn mount(image: &Path, place: &'a Path) -> Option<Self> {
        fs::create_dir(place).unwrap();
        fs::File::create(image).unwrap().set_len(24 << 20).unwrap();
        let run = |program: &str, arguments: &[&str]| {
            Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
        };
        let (image, place_text) = (image.to_str().unwrap(), place.to_str().unwrap());
        let mounted =
            run("mkfs.ext4", &["-q", "-F", image]) && run("mount", &["-o", "loop", image, place_text]);
        mounted.then_some(Self(place))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0).status().is_ok_and(|status| status.success());
        if !unmounted {
            eprintln!("could not unmount {}", self.0.display());
        }
    }
}

#[test]
fn a_disk_that_is_too_small_is_told() {
    let dir = temp_dir();
    let place = dir.path().join("disk");
    let Some(_disk) = SmallDisk::mount(&dir.path().join("image"), &place) else {
        eprintln!("SKIPPED: a small disk cannot be mounted here; it needs root and loop devices");
        return;
    };
    let text = fails(&mut start(&place.join("data"), &free_address().to_string()));
    assert!(text.contains("space") || text.contains("disk"), "{text}");
}
