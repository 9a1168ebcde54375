#!/bin/bash
# A farm inside of a Slurm allocation: sbatch slurm.sh OUT FOOTAGE…
# Footage, OUT and the environment lie on a drive that all nodes have.
#SBATCH --job-name=adapt-motion
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=12:00:00
set -euo pipefail

environment=${ADAPT_MOTION_ENVIRONMENT:-$HOME/adapt-motion}    # a virtual environment with the engine and its extra `farm`
out=$1
shift

export PATH="$environment/bin:$PATH" RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=token OMP_NUM_THREADS=1
RAY_AUTH_TOKEN=$(python -c "import secrets; print(secrets.token_hex(32))")    # of this job alone
export RAY_AUTH_TOKEN

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(srun --nodes=1 --ntasks=1 -w "${nodes[0]}" hostname --ip-address | awk '{print $1}')
port=$((20000 + SLURM_JOB_ID % 20000))

srun --overlap --nodes=1 --ntasks=1 -w "${nodes[0]}" \
    ray start --head --node-ip-address="$head" --port="$port" --num-cpus="$SLURM_CPUS_ON_NODE" --include-dashboard=false --block &
sleep 20
for node in "${nodes[@]:1}"; do
    srun --overlap --nodes=1 --ntasks=1 -w "$node" \
        ray start --address="$head:$port" --num-cpus="$SLURM_CPUS_ON_NODE" --block &
done
sleep 20

adapt-motion farm "$@" -o "$out" --address "$head:$port"
