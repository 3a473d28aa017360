"""What launchers and libraries print when they do not fit, as people have reported it."""

# Lines as people have reported them: where from, the log, words of the cause, words of the cure.
REPORTED = [
    (
        "Slurm 22.05 of Debian 12 without libpmix-dev, seen here; `srun --mpi=list` names pmix all the same",
        "srun: error:  mpi/pmix_v4: init: (null) [0]: mpi_pmix.c:195: pmi/pmix: can not load PMIx library\n"
        "srun: error: Couldn't load specified plugin name for mpi/pmix: Plugin init() callback failed\n"
        "srun: error: MPI: Cannot create context for mpi/pmix\nsrun: error: MPI: Unable to load any plugin\n"
        "srun: error: Invalid MPI type 'pmix', --mpi=list for acceptable types",
        "the PMIx that it loads is not installed",
        "libpmix-dev",
    ),
    (
        "pytorch test/distributed: each rank sees one device, and calls it by its local rank",
        "RuntimeError: CUDA error: invalid device ordinal\nCUDA kernel errors might be asynchronously reported",
        "an accelerator that it is not shown",
        "calls it 0",
    ),
    (
        "snakemake/snakemake#2912",
        "srun: fatal: SLURM_MEM_PER_CPU, SLURM_MEM_PER_GPU, and SLURM_MEM_PER_NODE are mutually exclusive.",
        "memory is asked for in two ways",
        "unset SLURM_MEM_PER_CPU",
    ),
    (
        "dask/dask-jobqueue#698",
        "sbatch: fatal: --mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive.",
        "memory is asked for in two ways",
        "one `--mem…`",
    ),
    (
        "FairRootGroup/DDS#490",
        "srun: fatal: cpus_per_task set by two different environment variables SLURM_CPUS_PER_TASK=2 != "
        "SLURM_TRES_PER_TASK=cpu:1",
        "set twice",
        "unset SLURM_CPUS_PER_TASK",
    ),
    (
        "the same in Slurm 24.11: reports of several clusters' users",
        "srun: fatal: cpus-per-task set by two different environment variables SLURM_CPUS_PER_TASK=13 != "
        "SLURM_TRES_PER_TASK=cpu=8",
        "set twice",
        "unset SLURM_CPUS_PER_TASK",
    ),
    (
        "slurm src/plugins/mpi/pmi2/pmi1.c, _handle_pmi1_init",
        "slurmstepd: error: mpi/pmi2: invalid PMI1 init command: `cmd=init pmi_version=1'",
        "srun offers PMI-2",
        "cray_shasta for Cray MPICH",
    ),
    (
        "apptainer/singularity#5195",
        "[lxbk0609:07143] PMIX ERROR: ERROR in file gds_dstore.c at line 1244\n"
        "[lxbk0609:07143] PMIX ERROR: OUT-OF-RESOURCE in file gds_dstore.c at line 1017",
        "cannot share memory with Slurm's",
        "PMIX_MCA_gds=hash",
    ),
    (
        "openpmix/openpmix#3839",
        "[hpc9.hpclab.local:158826] PMIX ERROR: PMIX_ERR_FILE_OPEN_FAILURE in file "
        "../../../../../src/mca/gds/shmem2/gds_shmem2.c at line 1056",
        "cannot share memory with Slurm's",
        "SlurmdSpoolDir",
    ),
    (
        "amd/InfinityHub-CI#10",
        "PMIX ERROR: NO-PERMISSIONS in file ../../../../../../../../../../opal/mca/pmix/pmix3x/pmix/src/mca/common/"
        "dstore/dstore_base.c at line 237",
        "cannot share memory with Slurm's",
        "PMIX_MCA_gds=hash",
    ),
    (
        "open-mpi/ompi#11557, NVIDIA/pyxis#139",
        "PMIx stopped checking at the first component that it did not find.\n\nHost:      gpu1\nFramework: psec\n"
        "Component: munge\n-----",
        "authenticates by Munge",
        "PMIX_MCA_psec=^munge",
    ),
    (
        "open-mpi/ompi#9582",
        "  pmix_psec_base_open failed\n  --> Returned value -46 instead of PMIX_SUCCESS",
        "authenticates by Munge",
        "PMIX_MCA_psec=^munge",
    ),
    (
        "nf-core-like pipelines that call sbatch from within Singularity",
        'sbatch: error: Munge encode failed: Failed to access "/run/munge/munge.socket.2": No such file or directory',
        "not in the container",
        "bind /run/munge",
    ),
    ("uiuc-hpc/lci#110", "cxip_gen_auth_key failed: -38", "no network of their own", "--network=single_node_vni"),
    (
        "libfabric prov/cxi/src/cxip_auth.c",
        "libfabric:77:170000:cxi:core:cxip_gen_auth_key_ss_env_get_vni():41<warn> VNI not found in SLINGSHOT_VNIS: ",
        "without one for it",
        "SLINGSHOT_*",
    ),
    (
        "CUDA runtime, error 35",
        "Cuda Error: CUDA driver version is insufficient for CUDA runtime version",
        "the NVIDIA driver is older",
        "nvidia-smi",
    ),
    (
        "torch/cuda/__init__.py, as reported with driver 12.8",
        "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 12080).",
        "the NVIDIA driver is older",
        "older CUDA",
    ),
    (
        "clangd on CentOS 7",
        "./bin/clangd: /lib64/libc.so.6: version `GLIBC_2.18' not found (required by ./bin/clangd)",
        "a host's MPI in an older image, or a program from a newer machine (GLIBC_2.18)",
        "--model hybrid",
    ),
    (
        "hpc/charliecloud#1898",
        "ch-run[121666]: error: can't execve(2): /sbin/ldconfig: Exec format error (ch_core.c:549 8)",
        "another processor",
        "partitions.architecture",
    ),
    (
        "apptainer/singularity#5105",
        "/bin/ls: /bin/ls: cannot execute binary file",
        "another processor",
        "uname -m",
    ),
    (
        "elyall/wandb_on_slurm#5",
        "slurmstepd: error: execve(): start-agent.sh: Permission denied\n"
        "srun: error: my-node01: task 0: Exited with exit code 13",
        "mounted noexec",
        "findmnt -T",
    ),
    (
        "apptainer/singularity#2703",
        "FATAL:   failed to start %post proc: fork/exec /bin/sh: permission denied",
        "mounted noexec",
        "chmod +x",
    ),
    (
        "BigBlueButton's and Python extensions' reports of /tmp with noexec",
        "ImportError: /scratch/x/module.cpython-39-x86_64-linux-gnu.so: failed to map segment from shared object",
        "mounted noexec, or there is no memory left",
        "findmnt -T",
    ),
    (
        "dlerror(3) with EPERM, of a mount with noexec",
        "prog: error while loading shared libraries: libx.so: failed to map segment from shared object: Operation not "
        "permitted",
        "(mounted noexec)",
        "findmnt -T",
    ),
    (
        "dlerror(3) with ENOMEM, under `ulimit -v`",
        "prog: error while loading shared libraries: libc.so.6: failed to map segment from shared object: Cannot "
        "allocate memory",
        "no memory left",
        "ulimit -v",
    ),
    (
        "NVIDIA/pyxis#93",
        "slurmstepd: error: pyxis:     enroot-nsenter: failed to create user namespace: No space left on device",
        "no more user namespaces",
        "--sharens",
    ),
    (
        "clone(2): EAGAIN, as Apptainer prints errno",
        "ERROR  : Failed to create user namespace: Resource temporarily unavailable",
        "no more user namespaces",
        "max_user_namespaces",
    ),
    (
        "apptainer/apptainer#2455",
        "ERROR  : Failed to create container process: No space left on device",
        "no more user namespaces",
        "setuid",
    ),
    (
        "GNU tar",
        "tar: first.sql: Cannot write: Disk quota exceeded",
        "your quota is used up",
        "storage.image_cache",
    ),
]
