defmodule Ambix.MCP.HTTP.Reply do
  @moduledoc false
  # How a web server answers one request: whole, or piece by piece. A value is `{module, state}`, and each function returns the next one.

  @type t :: {module, term}
  @type headers :: [{String.t(), String.t()}]

  @callback whole(state, pos_integer, headers, iodata) :: state when state: term
  @callback open(state, pos_integer, headers) :: {:ok | :closed, state} when state: term
  @callback chunk(state, iodata) :: {:ok | :closed, state} when state: term
  @callback finish(state) :: state when state: term
  @doc "A socket whose active messages say that the client has gone, or has said more than it should; nil without one."
  @callback socket(state :: term) :: port | nil

  @spec whole(t, pos_integer, headers, iodata) :: t
  def whole({module, state}, status, headers, body), do: {module, module.whole(state, status, headers, body)}

  @spec open(t, pos_integer, headers) :: {:ok | :closed, t}
  def open({module, state}, status, headers), do: module.open(state, status, headers) |> next(module)

  @spec chunk(t, iodata) :: {:ok | :closed, t}
  def chunk({module, state}, data), do: module.chunk(state, data) |> next(module)

  @spec finish(t) :: t
  def finish({module, state}), do: {module, module.finish(state)}

  @spec socket(t) :: port | nil
  def socket({module, state}), do: module.socket(state)

  defp next({how, state}, module), do: {how, {module, state}}
end
