defmodule Ambix.Sandbox.Driver.Packages do
  @moduledoc false
  # Stands in for Hex, which is not in the sandbox: a dependency that neither git nor path explains
  # is one that was fetched into deps/ before.

  @behaviour Mix.SCM

  @impl true
  def fetchable?, do: true

  @impl true
  def format(opts), do: "package #{opts[:package]}"

  @impl true
  def format_lock(_opts), do: nil

  @impl true
  def accepts_options(app, opts), do: Keyword.put_new(opts, :package, app)

  @impl true
  def checked_out?(opts), do: File.dir?(opts[:dest])

  @impl true
  def lock_status(_opts), do: :ok

  @impl true
  def equal?(one, other), do: one[:package] == other[:package]

  @impl true
  def managers(_opts), do: []

  @impl true
  def checkout(opts), do: no_network(opts)

  @impl true
  def update(opts), do: no_network(opts)

  defp no_network(opts) do
    Mix.raise("the sandbox has no network, so #{opts[:package]} cannot be fetched: run mix deps.get")
  end
end
