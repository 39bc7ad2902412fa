//! `ordain`, the one binary: every role and every client command.

fn main() -> std::process::ExitCode {
    ordain::main()
}
