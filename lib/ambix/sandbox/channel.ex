defmodule Ambix.Sandbox.Channel do
  @moduledoc false
  # A socket between the host and a sandboxed VM. The first to connect is what the host has started: foreign code runs later
  # only, and finds the socket closed.

  alias Ambix.Error
  alias Ambix.Sandbox.Box

  @connect_ms 30_000
  @inside "/run/ambix"

  @typedoc "The socket that is listened on, and the folder of the host that it is in."
  @type t :: %{listener: :gen_tcp.socket(), folder: Path.t()}

  @doc "Opens a channel in a scratch folder, for frames of so many bytes."
  @spec open!(Path.t(), pos_integer()) :: t()
  def open!(scratch, frame_bytes) do
    folder = Path.join(scratch, "shared")
    File.mkdir_p!(folder)
    # In the sandbox the user is another; the folder around it is private.
    File.chmod!(folder, 0o755)
    path = Path.join(folder, "socket")

    {:ok, listener} =
      :gen_tcp.listen(0, [
        :binary,
        ifaddr: {:local, path},
        packet: 4,
        packet_size: frame_bytes,
        active: false,
        backlog: 1,
        send_timeout: 10_000,
        send_timeout_close: true
      ])

    File.chmod!(path, 0o777)
    %{listener: listener, folder: folder}
  end

  @doc "What the sandbox must see of it: `{host, inside}`."
  @spec bind(t()) :: {Path.t(), Path.t()}
  def bind(channel), do: {channel.folder, @inside}

  @doc "The variable that tells where the socket is, for a sandbox with or without isolation."
  @spec environment(t(), :none | term()) :: %{String.t() => Path.t()}
  def environment(channel, :none), do: %{"AMBIX_SOCKET" => Path.join(channel.folder, "socket")}
  def environment(_channel, _bubblewrap), do: %{"AMBIX_SOCKET" => Path.join(@inside, "socket")}

  @doc "Waits until the VM in the box has connected; if it does not, the box is stopped. Called by the box's owner."
  @spec accept(t(), pid()) :: {:ok, :gen_tcp.socket()} | {:error, Error.t()}
  def accept(channel, box) do
    result = accept(channel.listener, box, now() + @connect_ms)
    :gen_tcp.close(channel.listener)
    result
  end

  defp accept(listener, box, deadline) do
    with {:error, :timeout} <- :gen_tcp.accept(listener, 50) do
      receive do
        {Box, ^box, result} ->
          message = "the sandboxed VM did not start: #{String.trim(result.output)}"
          {:error, %Error{kind: :unavailable, message: message}}
      after
        0 ->
          if now() < deadline do
            accept(listener, box, deadline)
          else
            Box.stop(box)
            message = "the sandboxed VM did not start in #{@connect_ms} ms"
            {:error, %Error{kind: :timeout, message: message}}
          end
      end
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
