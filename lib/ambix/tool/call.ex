defmodule Ambix.Tool.Call do
  @moduledoc """
  Under which conditions a tool is called.

    * `host`: what it works on, such as the index of a project; whoever offers the tools gives it
    * `budget`: how many tokens the answer may have
    * `progress`: nil, or a function that gets `%{phase: atom, done: integer, total: integer | nil}`
  """

  defstruct host: nil, budget: 4000, progress: nil

  @type progress :: %{phase: atom, done: non_neg_integer, total: non_neg_integer | nil}
  @type t :: %__MODULE__{host: term, budget: pos_integer, progress: (progress -> any) | nil}
end
