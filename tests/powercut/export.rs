//! A disk as the only file of a FUSE file system, served by this process.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyWrite, Request, WriteFlags,
};

use crate::disk::Disk;
use crate::mounts;

const FILE_NAME: &str = "disk";
const FILE: INodeNo = INodeNo(2);
/// The kernel may remember names and attributes, which never change.
const TTL: Duration = Duration::from_secs(3600);

/// The mounted file system; it goes when it is dropped.
pub(crate) struct Export {
    path: PathBuf,
    session: Option<BackgroundSession>,
}

impl Export {
    /// Mounts it at a directory.
    pub(crate) fn mount(disk: Disk, path: &Path) -> std::io::Result<Self> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("tsdb-powercut".to_owned())];
        let session = fuser::spawn_mount(Served(disk), path, &config)?;
        Ok(Self { path: path.to_owned(), session: Some(session) })
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path.join(FILE_NAME)
    }

    /// Takes it down once nobody has the file open.
    pub(crate) fn unmount(mut self) {
        mounts::unmount(&self.path);
        if let Some(session) = self.session.take() {
            session.join().unwrap();
        }
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if self.session.is_some() {
            mounts::detach(&self.path);
        }
    }
}

struct Served(Disk);

impl Served {
    fn attributes(&self, number: INodeNo) -> FileAttr {
        let file = number == FILE;
        let size = if file { self.0.bytes() } else { 0 };
        FileAttr {
            ino: number,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if file { FileType::RegularFile } else { FileType::Directory },
            perm: if file { 0o600 } else { 0o700 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == FILE_NAME {
            reply.entry(&TTL, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attributes(number));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Every read and write comes here: the only cache is the disk's.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        reply.data(&self.0.read(offset, size as usize));
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match u32::try_from(data.len()) {
            Ok(len) if self.0.write(offset, data) => reply.written(len),
            _ => reply.error(Errno::ENOSPC),
        }
    }

    /// A descriptor was closed; says nothing about the medium.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    /// The loop device asks for it when its own cache is to be flushed.
    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.0.flush();
        reply.ok();
    }

    /// No holes: the loop device writes zeros instead.
    fn fallocate(&self, _: &Request, _: INodeNo, _: FileHandle, _: u64, _: u64, _: i32, reply: ReplyEmpty) {
        reply.error(Errno::EOPNOTSUPP);
    }
}
