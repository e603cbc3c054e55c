defmodule Ambix.Job do
  @moduledoc """
  Work that runs on threads of the native library and answers by messages.

  A job belongs to the process that started it: it stops when that process ends, or on `cancel/1`. While it runs, it
  sends `{job.ref, event}`, such as `{job.ref, {:progress, %{phase: :read, done: 3, total: 10}}}`; at the end
  `{job.ref, {:ok, value}}` or `{job.ref, {:error, %Ambix.Error{}}}`. Dropping the handle does not stop it.
  """

  alias Ambix.{Error, Native}

  @enforce_keys [:ref, :resource]
  defstruct [:ref, :resource]

  @type t :: %__MODULE__{ref: reference, resource: reference}

  @doc false
  # `start` is a function that gives a fresh reference to a NIF which starts a job.
  @spec start((reference -> {:ok, reference} | {:error, Error.t()})) :: {:ok, t} | {:error, Error.t()}
  def start(start) do
    ref = make_ref()

    with {:ok, resource} <- start.(ref) do
      {:ok, %__MODULE__{ref: ref, resource: resource}}
    end
  end

  @doc """
  Waits for the end of a job and returns its result; `on_event` is called with each event before.

  Must be called by the process that started the job. If `on_event` raises, the job is cancelled.
  """
  @spec await(t, (term -> any)) :: {:ok, term} | {:error, Error.t()}
  def await(%__MODULE__{ref: ref} = job, on_event \\ fn _ -> :ok end) do
    receive do
      {^ref, {:ok, value}} ->
        {:ok, value}

      {^ref, {:error, error}} ->
        {:error, error}

      {^ref, event} ->
        try do
          on_event.(event)
        rescue
          error ->
            cancel(job)
            reraise error, __STACKTRACE__
        end

        await(job, on_event)
    end
  end

  @doc "Asks a job to stop. It still answers: with an error of the kind `:cancelled`, or its result if it was done."
  @spec cancel(t) :: :ok
  def cancel(%__MODULE__{resource: resource}), do: Native.job_cancel(resource)

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
