"""Numbers of Linux's system calls, by what becomes of each once the wall stands.

From the kernel's `asm/unistd_64.h` (x86-64) and `asm-generic/unistd.h` (aarch64): `name=x86-64/
aarch64`, `-` where an architecture has none. What is in no table answers ENOSYS, as an older
kernel would, so that a newer C library falls back and lives.
"""

from __future__ import annotations

from collections.abc import Mapping

MACHINES = ("x86_64", "aarch64")
"""The architectures that the tables know, in the order of their numbers."""


def _table(text: str) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(numbers.split("/"))
        for name, _, numbers in (entry.partition("=") for entry in text.split())
    }


def numbers(table: Mapping[str, tuple[str, ...]], machine: str) -> dict[str, int]:
    """Name to number, of the calls that an architecture has."""
    column = MACHINES.index(machine)
    return {name: int(row[column]) for name, row in table.items() if row[column] != "-"}


ALLOWED = _table(
    """
    read=0/63 write=1/64 readv=19/65 writev=20/66 pread64=17/67 pwrite64=18/68 preadv=295/69
    pwritev=296/70 preadv2=327/286 pwritev2=328/287 lseek=8/62 close=3/57 close_range=436/436
    fsync=74/82 fdatasync=75/83 fstat=5/80 stat=4/- lstat=6/- newfstatat=262/- statx=332/291
    access=21/- faccessat=269/48 faccessat2=439/439 readlink=89/- readlinkat=267/78 getcwd=79/17
    getdents=78/- getdents64=217/61 statfs=137/43 fstatfs=138/44 fadvise64=221/223
    readahead=187/213 dup=32/23 dup2=33/- dup3=292/24 pipe=22/- pipe2=293/59 eventfd=284/-
    eventfd2=290/19 poll=7/- ppoll=271/73 select=23/- pselect6=270/72 epoll_create=213/-
    epoll_create1=291/20 epoll_ctl=233/21 epoll_wait=232/- epoll_pwait=281/22
    epoll_pwait2=441/441 mmap=9/222 munmap=11/215 mprotect=10/226 mremap=25/216 madvise=28/233
    mincore=27/232 msync=26/227 mlock=149/228 mlock2=325/284 munlock=150/229 brk=12/214
    membarrier=324/283 get_mempolicy=239/236 set_mempolicy=238/237 mbind=237/235 futex=202/98
    futex_waitv=449/449 futex_wake=454/454 futex_wait=455/455 futex_requeue=456/456
    set_robust_list=273/99 set_tid_address=218/96 rseq=334/293 arch_prctl=158/- exit=60/93
    exit_group=231/94 restart_syscall=219/128 sched_yield=24/124 sched_getaffinity=204/123
    sched_getparam=143/121 sched_getscheduler=145/120 sched_get_priority_max=146/125
    sched_get_priority_min=147/126 getcpu=309/168 getpriority=140/141 rt_sigaction=13/134
    rt_sigprocmask=14/135 rt_sigreturn=15/139 rt_sigpending=127/136 rt_sigtimedwait=128/137
    rt_sigsuspend=130/133 sigaltstack=131/132 pause=34/- nanosleep=35/101
    clock_nanosleep=230/115 clock_gettime=228/113 clock_getres=229/114 gettimeofday=96/169
    time=201/- times=100/153 getitimer=36/102 setitimer=38/103 alarm=37/- getrusage=98/165
    getrlimit=97/163 sysinfo=99/179 uname=63/160 getrandom=318/278
    getpid=39/172 gettid=186/178 getppid=110/173 getpgid=121/155 getpgrp=111/- getsid=124/156
    getuid=102/174 geteuid=107/175 getgid=104/176 getegid=108/177 getgroups=115/158
    getresuid=118/148 getresgid=120/150 capget=125/90 umask=95/166 wait4=61/260 waitid=247/95
    """
)
"""Reading, memory, threads, clocks, and what is open already."""

REFUSED = _table(
    """
    creat=85/- unlink=87/- unlinkat=263/35 rename=82/- renameat=264/38 renameat2=316/276
    mkdir=83/- mkdirat=258/34 rmdir=84/- link=86/- linkat=265/37 symlink=88/- symlinkat=266/36
    mknod=133/- mknodat=259/33 chmod=90/- fchmod=91/52 fchmodat=268/53 fchmodat2=452/452
    chown=92/- fchown=93/55 lchown=94/- fchownat=260/54 truncate=76/45 ftruncate=77/46
    fallocate=285/47 utime=132/- utimes=235/- utimensat=280/88 futimesat=261/- setxattr=188/5
    lsetxattr=189/6 fsetxattr=190/7 setxattrat=463/463 removexattr=197/14 lremovexattr=198/15
    fremovexattr=199/16 removexattrat=466/466 file_setattr=469/469
    """
)
"""What changes files and folders answers EACCES."""

ENDING = _table(
    """
    execve=59/221 execveat=322/281 fork=57/- vfork=58/- ptrace=101/117 kill=62/129 tkill=200/130
    rt_sigqueueinfo=129/138 rt_tgsigqueueinfo=297/240 pidfd_open=434/434
    pidfd_send_signal=424/424 pidfd_getfd=438/438 process_vm_readv=310/270
    process_vm_writev=311/271 process_madvise=440/440 process_mrelease=448/448 kcmp=312/272
    socketpair=53/199 bind=49/200 connect=42/203 listen=50/201 accept=43/202 accept4=288/242
    sendto=44/206 sendmsg=46/211 sendmmsg=307/269 recvfrom=45/207 recvmmsg=299/243
    shutdown=48/210 setsockopt=54/208 getsockopt=55/209 getsockname=51/204 getpeername=52/205
    io_uring_setup=425/425 io_uring_enter=426/426 io_uring_register=427/427 io_setup=206/0
    io_submit=209/2 bpf=321/280 perf_event_open=298/241 userfaultfd=323/282 seccomp=317/277
    add_key=248/217 request_key=249/218 keyctl=250/219 mount=165/40 umount2=166/39
    pivot_root=155/41 chroot=161/51 move_mount=429/429 open_tree=428/428 open_tree_attr=467/467
    fsopen=430/430 fsconfig=431/431 fsmount=432/432 fspick=433/433 mount_setattr=442/442
    name_to_handle_at=303/264 open_by_handle_at=304/265 fanotify_init=300/262
    fanotify_mark=301/263 unshare=272/97 setns=308/268 modify_ldt=154/- iopl=172/- ioperm=173/-
    init_module=175/105 finit_module=313/273 delete_module=176/106 kexec_load=246/104
    kexec_file_load=320/294 reboot=169/142 swapon=167/224 swapoff=168/225 acct=163/89
    quotactl=179/60 quotactl_fd=443/443 syslog=103/116 vhangup=153/58 sethostname=170/161
    setdomainname=171/162 settimeofday=164/170 clock_settime=227/112 clock_adjtime=305/266
    adjtimex=159/171 setuid=105/146 setgid=106/144 setreuid=113/145 setregid=114/143
    setresuid=117/147 setresgid=119/149 setfsuid=122/151 setfsgid=123/152 setgroups=116/159
    capset=126/91
    """
)
"""What no model needs, and an attack does: the kernel ends the process."""

JUDGED = _table(
    """
    open=2/- openat=257/56 clone=56/220 socket=41/198 recvmsg=47/212 tgkill=234/131 fcntl=72/25
    ioctl=16/29 prctl=157/167 prlimit64=302/261 setrlimit=160/164 sched_setaffinity=203/122
    """
)
"""What depends on its arguments: see `program`."""
