Code.require_file("native/cargo.exs", __DIR__)

defmodule Ambix.MixProject do
  use Mix.Project

  @version "0.1.0"

  def project do
    [
      app: :ambix,
      version: @version,
      elixir: "~> 1.14",
      description: "Gives an Elixir application or tool the powers of a coding assistant",
      start_permanent: Mix.env() == :prod,
      compilers: [:cargo] ++ Mix.compilers(),
      aliases: ["compile.cargo": &Ambix.Cargo.run/1],
      # What a host may have and we call only when it does: it is neither undefined nor a dependency that we forgot.
      elixirc_options: [no_warn_undefined: [:telemetry, Plug.Conn]],
      elixirc_paths: elixirc_paths(Mix.env()),
      test_coverage: [ignore_modules: [Ambix.Native]],
      # A project that one of the tests copies and compiles.
      test_ignore_filters: [&String.starts_with?(&1, "test/integration/host_app/")],
      deps: [],
      package: package()
    ]
  end

  # `:tools` holds `:cover`, which the fixer uses inside the sandbox; `:mix` and `:ex_unit` are there as well.
  def application do
    [extra_applications: [:logger, :crypto]]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_), do: ["lib"]

  defp package do
    [
      licenses: ["MIT"],
      files: ~w(lib native crates benches xtask Cargo.toml Cargo.lock mix.exs .formatter.exs
                README.md ARCHITECTURE.md CHANGELOG.md LICENSE usage-rules.md)
    ]
  end
end
