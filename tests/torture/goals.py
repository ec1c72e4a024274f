"""All of them, in the order of their numbers."""
import allocations
import attacks
import decisions
import dumps
import existing
import faults
import logs
import overload
import packets
import proxies
import resources
import restarts
import syscalls
import tokens

MODULES = (allocations, attacks, decisions, dumps, existing, faults, logs, overload, packets, proxies, resources, restarts,
           syscalls, tokens)
GOALS = sorted((goal for module in MODULES for goal in module.GOALS), key=lambda goal: goal.name)
