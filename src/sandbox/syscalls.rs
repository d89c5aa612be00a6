//! The system calls that pure computation needs. Everything else answers "permission denied", which Rust's standard
//! library reports as an error instead of dying of it.

use std::collections::BTreeMap;

use libc::{c_long, c_ulong};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

/// Memory, threads, locks, time, random numbers for hash maps, the end.
const ALWAYS: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    // Refused by the filter before this one, so that glibc falls back to `clone`, whose flags can be looked at.
    libc::SYS_clone3,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// `PR_SET_VMA`: the allocator names its mappings.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// Applies both filters to this thread and all it will start.
pub fn restrict() -> Result<(), seccompiler::Error> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let errno = |code: i32| SeccompAction::Errno(code.unsigned_abs());
    let no_clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let programs = [
        SeccompFilter::new(no_clone3, SeccompAction::Allow, errno(libc::ENOSYS), arch)?,
        SeccompFilter::new(allowed()?, errno(libc::EPERM), SeccompAction::Allow, arch)?,
    ];
    for filter in programs {
        apply_filter(&BpfProgram::try_from(filter)?)?;
    }
    Ok(())
}

fn allowed() -> Result<BTreeMap<c_long, Vec<SeccompRule>>, seccompiler::Error> {
    // The second argument of each condition is the position of the system call's argument.
    let equal = |position, value: u64| Condition::new(position, Len::Dword, Op::Eq, value);
    let without = |position, bits: u64| Condition::new(position, Len::Dword, Op::MaskedEq(bits), 0);
    let with = |position, bits: u64| Condition::new(position, Len::Dword, Op::MaskedEq(bits), bits);
    let rule = |conditions| SeccompRule::new(conditions);
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    let thread = u64::from((libc::CLONE_THREAD | libc::CLONE_VM).unsigned_abs());

    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = ALWAYS.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_read, vec![rule(vec![equal(0, 0)?])?]);
    rules.insert(libc::SYS_write, vec![rule(vec![equal(0, 1)?])?, rule(vec![equal(0, 2)?])?]);
    rules.insert(libc::SYS_mmap, vec![rule(vec![without(2, executable)?])?]);
    rules.insert(libc::SYS_mprotect, vec![rule(vec![without(2, executable)?])?]);
    rules.insert(libc::SYS_clone, vec![rule(vec![with(0, thread)?])?]);
    // `abort` signals its own process; no other can be named.
    rules.insert(libc::SYS_tgkill, vec![rule(vec![equal(0, u64::from(std::process::id()))?])?]);
    let name = c_ulong::from(libc::PR_SET_NAME.unsigned_abs());
    rules.insert(libc::SYS_prctl, vec![rule(vec![equal(0, name)?])?, rule(vec![equal(0, PR_SET_VMA)?])?]);
    Ok(rules)
}
