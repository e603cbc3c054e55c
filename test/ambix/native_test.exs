defmodule Ambix.NativeTest do
  use ExUnit.Case, async: true

  alias Ambix.{Error, Job, Native}

  @stubs Native.__info__(:functions) |> Enum.reject(fn {name, _} -> name == :load end) |> Enum.sort()

  test "every native function has a stub, and every stub a native function" do
    natives = for {name, arity} <- Native.nif_functions(), do: {String.to_atom(name), arity}
    assert Enum.sort(natives) == @stubs
  end

  test "the kinds of error are the same on both sides" do
    assert Native.error_kinds() == Error.kinds()
    {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(Error)

    assert Enum.map(Regex.scan(~r/^\| `:(\w+)`/m, doc), fn [_, kind] -> String.to_atom(kind) end) ==
             Error.kinds()
  end

  test "a panic becomes an error that keeps its text" do
    assert {:error, %Error{kind: :panic, message: message}} = Native.panic_on_purpose("the text of it")
    assert message =~ "the text of it"
    assert message =~ "guard.rs"
  end

  # Each native function is called with wrong terms in every place. It may raise ArgumentError, answer an error or, where
  # a term happens to fit, a value; what it may not do is end the VM, hang or raise anything else.
  test "no native function is harmed by wrong arguments of any kind" do
    wrong = [
      nil,
      :atom,
      -1,
      0,
      1.0e308,
      1 <<< 80,
      "",
      <<255, 254>>,
      <<1::3>>,
      [],
      [1 | 2],
      {},
      {:ok, 1},
      %{},
      %{__struct__: :nowhere},
      %{1 => 2},
      make_ref(),
      self(),
      fn -> :ok end,
      deep(10_000)
    ]

    for {name, arity} <- @stubs, arity > 0, argument <- wrong do
      result =
        try do
          apply(Native, name, List.duplicate(argument, arity))
        rescue
          error in ArgumentError -> error
        end

      refute match?({:error, %Error{kind: :panic}}, result) and name != :panic_on_purpose,
             "#{name} panicked with #{inspect(argument, limit: 3)}: #{inspect(result)}"
    end
  end

  defp deep(levels), do: Enum.reduce(1..levels, [], fn _, inner -> [inner] end)
  defp a <<< b, do: Bitwise.bsl(a, b)

  describe "jobs" do
    test "answer by message" do
      assert {:ok, job} = Job.start(&Native.job_wait(&1, 1))
      assert Job.await(job) == {:ok, 1}
    end

    test "can be cancelled" do
      assert {:ok, job} = Job.start(&Native.job_wait(&1, 60_000))
      assert Job.cancel(job) == :ok
      assert {:error, %Error{kind: :cancelled}} = Job.await(job)
    end
  end
end
