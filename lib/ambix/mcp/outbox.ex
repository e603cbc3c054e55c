defmodule Ambix.MCP.Outbox do
  @moduledoc false
  # Where frames for a client go: a process that writes them, in the order in which they come, as `{Ambix.MCP.Outbox, kind, frame}`. What it
  # has not yet written is bounded, so that a client that does not read harms nobody else: first it hears of no progress, then its
  # writer is ended, and with that all that is done for it.

  @enforce_keys [:pid, :bytes]
  defstruct [:pid, :bytes, one: false, soft: 4 * 1024 * 1024, hard: 64 * 1024 * 1024]

  @typedoc "What a frame is, with the status of an HTTP response for the last one of a request."
  @type kind :: :notification | :request | {:final, pos_integer}
  @type t :: %__MODULE__{
          pid: pid,
          bytes: :atomics.atomics_ref(),
          one: boolean,
          soft: pos_integer,
          hard: pos_integer
        }

  @doc """
  For a process that writes. Options: `:one`, whether it does so for one request, and waits for no more; `:soft` and `:hard`, in bytes.
  """
  @spec new(pid, keyword) :: t
  def new(pid, opts \\ []), do: struct!(%__MODULE__{pid: pid, bytes: :atomics.new(1, signed: true)}, opts)

  @spec put(t, kind, binary) :: :ok
  def put(outbox, kind, frame) do
    size = byte_size(frame)
    waiting = :atomics.add_get(outbox.bytes, 1, size)

    cond do
      waiting > outbox.hard ->
        Process.exit(outbox.pid, :kill)

      waiting > outbox.soft and kind == :notification ->
        taken(outbox, frame)

      true ->
        send(outbox.pid, {__MODULE__, kind, frame})
    end

    :ok
  end

  @doc "Nothing will come for the request any more. Who writes for one hears `{Ambix.MCP.Outbox, :cancelled}`."
  @spec cancelled(t) :: :ok
  def cancelled(outbox) do
    if outbox.one, do: send(outbox.pid, {__MODULE__, :cancelled})
    :ok
  end

  @doc "The process says that it has written a frame."
  @spec taken(t, binary) :: :ok
  def taken(outbox, frame), do: :atomics.sub(outbox.bytes, 1, byte_size(frame))
end
