use super::*;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What bears a file's name and is none, or none that can be read, each with words of what is said of it.
#[cfg(unix)]
fn strangers(folder: &Path) -> Vec<(PathBuf, ErrorKind, &'static str)> {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    let at = |name: &str| folder.join(name);
    let pipe = std::ffi::CString::new(at("pipe").to_str().unwrap()).unwrap();
    // SAFETY: the path is a C string that lives through the call.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    drop(UnixListener::bind(at("socket")).unwrap());
    fs::create_dir(at("folder")).unwrap();
    symlink("/dev/zero", at("zero")).unwrap();
    symlink(at("pipe"), at("to_pipe")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
    vec![
        (at("pipe"), ErrorKind::Io, "a named pipe"),
        (at("socket"), ErrorKind::Io, "a socket"),
        (at("folder"), ErrorKind::Io, "a folder"),
        (at("zero"), ErrorKind::Io, "a device"),
        (at("to_pipe"), ErrorKind::Io, "a named pipe"),
        (at("dangling"), ErrorKind::NotFound, ""),
        (at("loop"), ErrorKind::Io, ""),
        (at("sparse"), ErrorKind::Limit, "more than"),
        (at("none"), ErrorKind::NotFound, ""),
    ]
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    for (path, kind, words) in strangers(folder.path()) {
        let error = read_file(&path, 1 << 20, &Cancel::new()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link_or_into_what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (path, _, _) in strangers(folder.path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if matches!(name, "sparse" | "none") {
            continue;
        }
        let error = open_or_create(&path).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io), "{name}: {error}");
        assert!(open_to_write(&path).is_err(), "{name}");
    }
    assert!(!at("nowhere").exists());

    fs::write(at("mine"), "precious").unwrap();
    std::os::unix::fs::symlink(at("mine"), at("link")).unwrap();
    assert!(open(&at("link"), Links::Refused).is_err());
    assert!(open(&at("link"), Links::Followed).is_ok());
    drop(create_anew(&at("link")).unwrap());
    assert_eq!(fs::read_to_string(at("mine")).unwrap(), "precious");
    assert!(!at("link").is_symlink());
    assert!(create_anew(&at("folder")).is_err());
    drop(open_or_create(&at("none")).unwrap());
    assert!(at("none").is_file());
}

#[test]
fn the_ceiling_holds_for_what_is_read_and_not_for_what_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let read = |most| read_file(&path, most, &Cancel::new()).map_err(|error| error.kind());
    for length in [0, 1, 511, 512, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
        let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
        fs::write(&path, &bytes).unwrap();
        assert_eq!(read(length).unwrap(), bytes);
        assert_eq!(read(u64::MAX).unwrap(), bytes);
        let mut hashed = Vec::new();
        let opened = open(&path, Links::Refused).unwrap();
        opened.blocks(&path, length, &Cancel::new(), &mut |block| hashed.extend_from_slice(block)).unwrap();
        assert_eq!(hashed, bytes);
        if length > 0 {
            assert_eq!(read(length - 1), Err(ErrorKind::Limit));
        }
    }
    let opened = open(&path, Links::Refused).unwrap();
    let before = opened.metadata.len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(before + 1).unwrap();
    assert_eq!(opened.read(&path, before, &Cancel::new()).unwrap_err().kind(), ErrorKind::Limit);
    let opened = open(&path, Links::Refused).unwrap();
    let all = opened.blocks(&path, before, &Cancel::new(), &mut |_| {});
    assert_eq!(all.unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn reading_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "a").unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(read_file(&path, 10, &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
}
