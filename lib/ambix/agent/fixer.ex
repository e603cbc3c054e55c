defmodule Ambix.Agent.Fixer do
  @moduledoc """
  The agent that mends failing tests: the tool `fix` as a process that can be watched, asked and cancelled.

      {:ok, agent} = Ambix.Agent.start_link(Ambix.Agent.Fixer, {"path/to/project", budget: 60})
      {:ok, result} = Ambix.Agent.await(agent)

  Its argument is the project's root and the options of `Ambix.Fix.run/2` except `:on_event`, and `apply: true` to have the patches written;
  its events are those of `Ambix.Fix`, its result is the one of `Ambix.Fix.run/2`, with whether it was `applied`.
  """

  @behaviour Ambix.Agent

  alias Ambix.{Fix, Tool}
  alias Ambix.Fix.Session

  @impl true
  def init({root, opts}) do
    checked = opts |> Keyword.delete(:apply) |> Fix.validate!()
    with {:ok, _} <- Session.new(root, checked), do: {:ok, {root, checked[:allow_paths], opts}}
  end

  # One step for all of it: the sandboxes belong to the step, and nothing is left for another one to find dead.
  @impl true
  def step({root, allowed, opts} = state, emit) do
    call = %Tool.Call{host: %{root: root, allow_paths: allowed}}
    asked = opts |> Keyword.delete(:allow_paths) |> Keyword.put(:on_event, emit)

    case Tool.find(Tool.Fix, asked, call) do
      {:ok, result} -> {:done, result, state}
      {:error, error} -> {:error, error, state}
    end
  end
end
