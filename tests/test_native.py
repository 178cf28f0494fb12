"""C++ programs: compiled once, run per test, held to the same limits."""

import ctypes
import os
from pathlib import Path

import pytest

from etalon.sandbox import CppTests, Limits, Status, describe, run_program
from etalon.sandbox.native import compiler, run_cpp
from etalon.sandbox.outcome import GiveUp
from etalon.types import Domain, Problem
from etalon.verifiers import verify

pytestmark = pytest.mark.live

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler")

ADD = '#include <cstdio>\nint main() { int a, b; scanf("%d %d", &a, &b); printf("%d\\n", a + b); }'
TESTS = {"inputs": ["1 2", "3 4"], "outputs": ["3", "7"]}


def judge(response, tests=TESTS):
    return verify(Problem(id="c", domain=Domain.CODE, prompt="", tests=tests), response)


def status(program, *inputs, **limits):
    return run_program(program, CppTests(inputs=inputs or ("",)), Limits(**{"cpu_seconds": 1, **limits}))[-1].status


@needs_compiler
def test_the_last_block_is_judged_in_its_language():
    assert judge(f"```cpp\n{ADD}\n```").score == 1.0
    assert judge(f"```c++\n{ADD.replace('a + b', 'a * b')}\n```").reason == "wrong (test 1 of 2)"
    python = "print(sum(map(int, input().split())))"
    assert judge(f"```cpp\nint main() {{}}\n```\n```python\n{python}\n```").score == 1.0
    assert judge(f"```python\n{python}\n```\n```cpp\nint main() {{}}\n```").score == 0.0


@needs_compiler
def test_a_problem_may_ask_for_one_language():
    both = f"```python\nprint(0)\n```\n```cpp\n{ADD}\n```"
    assert judge(both, {**TESTS, "language": "cpp"}).score == 1.0
    assert judge(both, {**TESTS, "language": "python"}).score == 0.0
    assert (
        judge(f"```cpp\n{ADD}\n```", {**TESTS, "language": "python"}).reason == "no_answer: found cpp, read are python"
    )
    assert judge(both, {**TESTS, "fn_name": "f", "language": "cpp"}).score is None


@needs_compiler
@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("int main() {", Status.SYNTAX_ERROR),
        ('#include "/etc/passwd"\nint main() {}', Status.SYNTAX_ERROR),
        ("int main() { return 1; }", Status.RUNTIME_ERROR),
        ("int main() { *(volatile int*)0 = 1; }", Status.RUNTIME_ERROR),
        ("int main() { for (;;) ; }", Status.TIMEOUT),
        ("#include <cstdio>\nint main() { for (;;) puts(\"0123456789012345678901234567890123456789\"); }",
         Status.OUTPUT_LIMIT),
        ("#include <cstdlib>\n#include <cstring>\nint main() { char* p = (char*)malloc(2000000000);"
         " if (!p) return 1; memset(p, 1, 2000000000); }", Status.RUNTIME_ERROR),
        ("#include <unistd.h>\nint main() { if (fork() == 0) { setsid(); sleep(100); } }", Status.OK),
    ],
)  # fmt: skip
def test_each_way_to_end_has_its_status(program, expected):
    assert status(program) is expected


@needs_compiler
def test_deep_recursion_has_the_stack_it_needs():
    program = (
        "int f(int n) { volatile int x[16]; x[n % 16] = n; return n ? f(n - 1) + x[n % 16] : 0; }\n"
        "int main() { volatile int r = f(500000); return 0; }"
    )
    assert status(program) is Status.OK


@needs_compiler
def test_a_program_cannot_see_its_environment_nor_write_elsewhere():
    program = (
        "#include <cstdio>\n#include <unistd.h>\nextern char** environ;\n"
        'int main() { printf("%d %d %d", environ[0] == 0, access("/etc/shadow", R_OK), access("/etc", W_OK)); }'
    )
    [outcome] = run_program(program, CppTests(inputs=("",)), Limits())
    if os.geteuid() == 0:
        assert outcome.output == "1 -1 -1"


@needs_compiler
def test_a_program_reaches_no_file_and_no_network_where_the_kernel_can_see_to_it():
    program = (
        "#include <cstdio>\n#include <sys/socket.h>\n"
        'int main() { printf("%d %d", fopen("/proc/version", "r") == 0, socket(AF_INET, SOCK_STREAM, 0) < 0); }'
    )
    [outcome] = run_program(program, CppTests(inputs=("",)), Limits())
    if {"landlock", "seccomp"} & describe().missing.keys():
        pytest.skip("this kernel has no Landlock or no seccomp")
    assert outcome.output == "1 1"


def test_without_a_compiler_the_verdict_is_open(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    verdict = judge(f"```cpp\n{ADD} // without\n```")
    assert verdict.score is None
    assert "no C++ compiler" in verdict.reason


def has_landlock() -> bool:
    """landlock_create_ruleset with the flag that asks for its version; the number is that of every architecture."""
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0


@needs_compiler
@pytest.mark.skipif(not has_landlock(), reason="the kernel has no Landlock")
@pytest.mark.parametrize(
    "line",
    [
        '#include "{file}"', '#if __has_include("{file}")\n#error there\n#endif\n#error nothing',
        'asm(".incbin \\"{file}\\"");',
    ],
)  # fmt: skip
def test_the_compiler_reads_no_file_of_the_machine(line: str, tmp_path: Path) -> None:
    """It says the same of a file that is there and of one that is not."""
    secret = tmp_path / "answers.txt"
    secret.write_text("int answer = 42;\n")
    said = []
    for path in (secret, tmp_path / "nothing.txt"):
        verdict = judge(f"```cpp\n{line.replace('{file}', str(path))}\n{ADD}\n```")
        assert verdict.score == 0.0
        said.append("there" in verdict.reason)
    assert said[0] == said[1]


@needs_compiler
def test_a_program_that_may_be_given_up_gets_its_input_once() -> None:
    program = (
        "#include <bits/stdc++.h>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }"  # slow to make
    )
    [outcome] = run_cpp(program, CppTests(inputs=("3 4",)), Limits(), give_up=GiveUp())
    assert (outcome.status, outcome.output) == (Status.OK, "7")
