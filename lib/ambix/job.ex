defmodule Ambix.Job do
  @moduledoc """
  Work that runs on threads of the native library and answers by messages.

  A job belongs to the process that started it: it stops when that process ends, or on `cancel/1`. While it runs, it
  sends `{job.ref, event}`, such as `{job.ref, {:progress, %{phase: :read, done: 3, total: 10}}}`; at the end
  `{job.ref, {:ok, value}}` or `{job.ref, {:error, %Ambix.Error{}}}`. Dropping the handle does not stop it.

  Questions, builds and models have threads of their own, and processes take turns: neither a process that orders much nor
  work that hangs stops what others order. A process may have 1024 jobs waiting of each of these kinds.
  """

  alias Ambix.{Error, Native}

  # How long a job that was cancelled is waited for, so that nothing of it comes later.
  @patience 5_000

  @enforce_keys [:ref, :resource]
  defstruct [:ref, :resource, :owner]

  @type t :: %__MODULE__{ref: reference, resource: reference, owner: pid | nil}

  @doc false
  # `start` is a function that gives a fresh reference to a NIF which starts a job.
  @spec start((reference -> {:ok, reference} | {:error, Error.t()})) :: {:ok, t} | {:error, Error.t()}
  def start(start) do
    ref = make_ref()

    with {:ok, resource} <- start.(ref) do
      {:ok, %__MODULE__{ref: ref, resource: resource, owner: self()}}
    end
  end

  @doc """
  Waits for the end of a job and returns its result; `on_event` is called with each event before.

  Its messages come to the process that started the job; in another one this is an error of the kind `:invalid_argument`.
  If `on_event` raises, throws or exits, the job is cancelled, and nothing of it stays in the mailbox.
  """
  @spec await(t, (term -> any)) :: {:ok, term} | {:error, Error.t()}
  def await(job, on_event \\ fn _ -> :ok end)

  def await(%__MODULE__{owner: owner}, _on_event) when owner != nil and owner != self() do
    {:error, Error.new(:invalid_argument, "a job is awaited by the process that started it, and by no other")}
  end

  def await(%__MODULE__{ref: ref} = job, on_event) do
    receive do
      {^ref, {:ok, value}} ->
        {:ok, value}

      {^ref, {:error, error}} ->
        {:error, error}

      {^ref, event} ->
        try do
          on_event.(event)
        catch
          kind, reason ->
            stop(job)
            :erlang.raise(kind, reason, __STACKTRACE__)
        end

        await(job, on_event)
    end
  end

  @doc "Asks a job to stop. It still answers: with an error of the kind `:cancelled`, or its result if it was done."
  @spec cancel(t) :: :ok
  def cancel(%__MODULE__{resource: resource}) do
    Native.job_cancel(resource)
    :ok
  end

  @doc false
  # Cancels a job and takes what it still says out of the mailbox.
  @spec stop(t) :: :ok
  def stop(%__MODULE__{} = job) do
    cancel(job)
    drain(job.ref)
  end

  defp drain(ref) do
    receive do
      {^ref, {kind, _}} when kind in [:ok, :error] -> :ok
      {^ref, _event} -> drain(ref)
    after
      @patience -> :ok
    end
  end

  @doc false
  # Starts and waits; progress goes to `progress`, a function of one argument or nil.
  def run(start, progress) do
    with {:ok, job} <- start(start) do
      await(job, fn
        {:progress, map} -> if progress, do: progress.(map)
        _ -> :ok
      end)
    end
  end

  @doc false
  # The answer to a question that is answered at once where that is quick, and else by a job.
  @spec answer((reference -> {:ok, term} | {:error, Error.t()})) :: {:ok, term} | {:error, Error.t()}
  def answer(ask) do
    ref = make_ref()

    case ask.(ref) do
      {:ok, resource} when is_reference(resource) -> await(%__MODULE__{ref: ref, resource: resource})
      answer -> answer
    end
  end

  defimpl Inspect do
    def inspect(_job, _opts), do: "#Ambix.Job<>"
  end
end
