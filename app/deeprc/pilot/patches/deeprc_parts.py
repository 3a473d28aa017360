"""The parts of RADICAL-Pilot: started as forks, watched, without a port for anybody's commands."""

import time

from deeprc_forks import Forks
from deeprc_watch import forget, watch

LOOK = 0.02  # seconds between two looks for bridges and components that start; RADICAL-Pilot's are 0.25 s apart


class Utilities:
    """A module, of which another one sees a part changed."""

    def __init__(self, package):
        self._package = package

    def __getattr__(self, name):
        return getattr(self._package, name)


def proxy(module):
    """Watch the process of the proxy's bridges (`radical.pilot.proxy`)."""
    register = module.Proxy._register

    def register_and_watch(self, arg):
        addresses = register(self, arg)
        watch("the proxy", self._clients[arg["sid"]]["proc"].pid)
        return addresses

    module.Proxy._register = register_and_watch


def agent(module):
    """Open no port for commands in plain text (`radical.pilot.agent.agent_0`), and prepare no environment for tasks:
    only a tool of RADICAL-Pilot's reads the one, and only its own masters and workers ask for the other.

    Nor does the agent ask itself to: it does so over its bridges as it starts, and waits for ever where that is lost.
    """
    module.Agent_0.command_port = lambda self: None
    module.Agent_0._prepare_env = lambda self, env_name, env_spec: None
    ask = module.Agent_0.rpc

    def rpc(self, cmd, *arguments, **options):
        return None if cmd == "prepare_env" else ask(self, cmd, *arguments, **options)

    module.Agent_0.rpc = rpc


def executing(module):
    """Tell the client a task's cores when it starts (`radical.pilot.agent.executing.base`), not when it has ended."""
    component = module.AgentExecutingComponent
    advance = component.advance_tasks

    def advance_tasks(self, tasks, state, *rest, **options):
        for task in tasks if isinstance(tasks, list) else [tasks]:
            task["$all"] = True
        advance(self, tasks, state, *rest, **options)

    component.advance_tasks = advance_tasks


def component_manager(module):
    """Fork the bridges and components that `radical.pilot.utils.component_manager` starts, and watch them."""
    module.ru, module.time = Utilities(module.ru), Utilities(module.time)
    module.time.sleep = lambda _: time.sleep(LOOK)
    module.ru.sh_callout = Forks(module.ru.sh_callout).sh_callout
    wait, close = module.ComponentManager._wait_startup, module.ComponentManager.close

    def wait_and_watch(self, uids, timeout):
        wait(self, uids, timeout)
        for uid in uids:
            watch(uid, self._startups[uid].pid)

    def forget_and_close(self):
        forget()
        close(self)

    module.ComponentManager._wait_startup, module.ComponentManager.close = wait_and_watch, forget_and_close
