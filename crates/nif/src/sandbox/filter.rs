//! Two filters, of which the kernel takes the stricter answer. The first lets known system calls through, and answers
//! ENOSYS to all others, as a kernel does that lacks them: libraries then do without. The second refuses some arguments
//! of calls that are known.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::syscalls::ALLOWED;

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

/// Addresses that a socket may have. All others load modules of the kernel that few have read.
const FAMILIES: [libc::c_int; 3] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];

const PROTOCOLS: [libc::c_int; 3] = [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP];

/// A program in a sandbox makes no sandboxes of its own, where it would have more rights.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Typing into the terminal of the caller.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541C;

/// Replaces the protocol of a connection by one of a module.
const TCP_ULP: u64 = 31;

/// The filters as the kernel reads them.
pub fn programs() -> Result<Vec<Vec<u8>>, BackendError> {
    let known: BTreeMap<_, _> = ALLOWED.iter().map(|&call| (call, Vec::new())).collect();
    let filters = [
        SeccompFilter::new(known, errno(libc::ENOSYS), SeccompAction::Allow, ARCH)?,
        SeccompFilter::new(refused()?, SeccompAction::Allow, errno(libc::EPERM), ARCH)?,
    ];
    filters.into_iter().map(|filter| Ok(bytes(&BpfProgram::try_from(filter)?))).collect()
}

fn errno(number: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

/// The arguments that are refused: each rule is one way to be refused, and its conditions hold together.
fn refused() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let none_of = |argument: u8, values: &[libc::c_int]| {
        values.iter().map(|&value| (argument, SeccompCmpOp::Ne, bits(value))).collect::<Vec<_>>()
    };
    let namespaces = NAMESPACES.iter().map(|&flag| vec![(0, SeccompCmpOp::MaskedEq(bits(flag)), bits(flag))]);
    // Memory that is in no process's own account, and in none at all once it is not mapped.
    let shared = bits(libc::MAP_SHARED | libc::MAP_ANONYMOUS);

    let table = [
        (libc::SYS_socket, vec![none_of(0, &FAMILIES), none_of(2, &PROTOCOLS)]),
        (libc::SYS_socketpair, vec![none_of(0, &[libc::AF_UNIX])]),
        (libc::SYS_clone, namespaces.collect()),
        (libc::SYS_mmap, vec![vec![(3, SeccompCmpOp::MaskedEq(shared), shared)]]),
        (libc::SYS_ioctl, vec![vec![(1, SeccompCmpOp::Eq, TIOCSTI)], vec![(1, SeccompCmpOp::Eq, TIOCLINUX)]]),
        (
            libc::SYS_setsockopt,
            vec![vec![(1, SeccompCmpOp::Eq, bits(libc::IPPROTO_TCP)), (2, SeccompCmpOp::Eq, TCP_ULP)]],
        ),
    ];
    table.into_iter().map(|(call, ways)| Ok((call, rules(ways)?))).collect()
}

fn rules(ways: Vec<Vec<(u8, SeccompCmpOp, u64)>>) -> Result<Vec<SeccompRule>, BackendError> {
    let condition = |(argument, operator, value)| SeccompCondition::new(argument, Dword, operator, value);
    ways.into_iter()
        .map(|way| SeccompRule::new(way.into_iter().map(condition).collect::<Result<_, _>>()?))
        .collect()
}

/// Flags and numbers of the C library have a sign, arguments of the kernel do not.
fn bits(value: libc::c_int) -> u64 {
    u64::from(value.cast_unsigned())
}

fn bytes(program: &BpfProgram) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend_from_slice(&instruction.code.to_ne_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_ne_bytes());
    }
    bytes
}
