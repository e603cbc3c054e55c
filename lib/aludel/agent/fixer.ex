defmodule Aludel.Agent.Fixer do
  @moduledoc """
  The agent that mends failing tests: `Aludel.Fix` as a process that can be watched, asked and cancelled.

      {:ok, agent} = Aludel.Agent.start_link(Aludel.Agent.Fixer, {"path/to/project", budget: 60})
      {:ok, result} = Aludel.Agent.await(agent)

  Its argument is the project's root and the options of `Aludel.Fix.run/2` except `:on_event`; its events are those of
  `Aludel.Fix`, its result is the one of `Aludel.Fix.run/2`.
  """

  @behaviour Aludel.Agent

  alias Aludel.Fix.Session

  @impl true
  def init({root, opts}), do: Session.new(root, Aludel.Fix.options(opts))

  @impl true
  def step(session, emit), do: Session.step(session, emit)
end
