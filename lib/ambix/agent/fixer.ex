defmodule Ambix.Agent.Fixer do
  @moduledoc """
  The agent that mends failing tests: `Ambix.Fix` as a process that can be watched, asked and cancelled.

      {:ok, agent} = Ambix.Agent.start_link(Ambix.Agent.Fixer, {"path/to/project", budget: 60})
      {:ok, result} = Ambix.Agent.await(agent)

  Its argument is the project's root and the options of `Ambix.Fix.run/2` except `:on_event`; its events are those of
  `Ambix.Fix`, its result is the one of `Ambix.Fix.run/2`.
  """

  @behaviour Ambix.Agent

  alias Ambix.Fix.Session

  @impl true
  def init({root, opts}), do: Session.new(root, Ambix.Fix.options(opts))

  @impl true
  def step(session, emit), do: Session.step(session, emit)
end
