defmodule Aludel do
  @moduledoc """
  Gives an Elixir application or tool the powers of a coding assistant.
  """

  @doc "The version of the library."
  @spec version() :: String.t()
  def version, do: unquote(Mix.Project.config()[:version])
end
