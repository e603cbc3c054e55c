defmodule Ambix.Agent.Fixer do
  @moduledoc """
  The agent that mends failing tests: `Ambix.Fix` as a process that can be watched, asked and cancelled.

      {:ok, agent} = Ambix.Agent.start_link(Ambix.Agent.Fixer, {"path/to/project", budget: 60})
      {:ok, result} = Ambix.Agent.await(agent)

  Its argument is the project's root and the options of `Ambix.Fix.run/2` except `:on_event`; its events are those of
  `Ambix.Fix`, its result is the one of `Ambix.Fix.run/2`.
  """

  @behaviour Ambix.Agent

  alias Ambix.Fix
  alias Ambix.Fix.Session

  @impl true
  def init({root, opts}) do
    with {:ok, _} <- Session.new(root, Fix.validate!(opts)), do: {:ok, {root, opts}}
  end

  # One step for all of it: the sandboxes belong to the step, and nothing is left for another one to find dead.
  @impl true
  def step({root, opts}, emit) do
    case Fix.run(root, Keyword.put(opts, :on_event, emit)) do
      {:ok, result} -> {:done, result, {root, opts}}
      {:error, error} -> {:error, error, {root, opts}}
    end
  end
end
