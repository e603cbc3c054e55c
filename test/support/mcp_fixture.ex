defmodule Ambix.Test.MCPFixture do
  @moduledoc """
  What `@modelcontextprotocol/conformance` expects of a server: tools, prompts and resources by the names of its scenarios, on the
  protocol of Ambix. `scripts/mcp_conformance` starts it.
  """

  alias Ambix.MCP
  alias Ambix.Test.MCPFixture.{Prompts, Resources, Tools}

  @doc "Options of `Ambix.MCP`."
  def options(name) do
    [
      name: name,
      features: {Tools, name},
      resources: {Resources, name},
      prompts: {Prompts, name},
      changes: [:tools, :prompts, :resources, :resource],
      logging: true,
      server_name: "ambix-fixture",
      version: "1.0.0",
      instructions: "This server is for tests."
    ]
  end

  @doc "Serves HTTP until the VM ends, and prints where."
  def main do
    {:ok, _} = MCP.start_link(options(__MODULE__))
    {:ok, listener} = MCP.HTTP.Listener.start_link(server: __MODULE__)
    IO.puts(MCP.HTTP.Listener.url(listener))
    Process.sleep(:infinity)
  end

  @doc "The same for the process of the system that calls it."
  def stdio, do: MCP.Stdio.run(options(__MODULE__))

  @doc "A picture of one red point."
  def image,
    do: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="

  def audio, do: "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="

  def text(text), do: %{"type" => "text", "text" => text}
  def picture, do: %{"type" => "image", "data" => image(), "mimeType" => "image/png"}

  def embedded(uri, type, text),
    do: %{"type" => "resource", "resource" => %{"uri" => uri, "mimeType" => type, "text" => text}}

  def elicit(message, properties, required) do
    schema = %{"type" => "object", "properties" => properties, "required" => required}
    %{"method" => "elicitation/create", "params" => %{"message" => message, "requestedSchema" => schema}}
  end

  def sample(prompt) do
    message = %{"role" => "user", "content" => text(prompt)}
    %{"method" => "sampling/createMessage", "params" => %{"messages" => [message], "maxTokens" => 100}}
  end

  def roots, do: %{"method" => "roots/list", "params" => %{}}
end

defmodule Ambix.Test.MCPFixture.Tools do
  @moduledoc false
  @behaviour Ambix.MCP.Tools

  import Ambix.Test.MCPFixture

  alias Ambix.MCP
  alias Ambix.MCP.{Client, Fault}

  @string %{"type" => "string"}
  @none %{"type" => "object", "properties" => %{}}

  @address %{
    "$anchor" => "addressDef",
    "type" => "object",
    "properties" => %{"street" => @string, "city" => @string}
  }
  @dialect %{
    "$schema" => "https://json-schema.org/draft/2020-12/schema",
    "type" => "object",
    "$defs" => %{"address" => @address},
    "properties" => %{
      "name" => @string,
      "address" => %{"$ref" => "#/$defs/address"},
      "contactMethod" => %{"type" => "string", "enum" => ["phone", "email"]},
      "phone" => @string,
      "email" => @string
    },
    "allOf" => [%{"anyOf" => [%{"required" => ["phone"]}, %{"required" => ["email"]}]}],
    "if" => %{
      "properties" => %{"contactMethod" => %{"const" => "phone"}},
      "required" => ["contactMethod"]
    },
    "then" => %{"required" => ["phone"]},
    "else" => %{"required" => ["email"]},
    "additionalProperties" => false
  }

  @schemas %{
    "json_schema_2020_12_tool" => @dialect,
    "test_sampling" => %{"type" => "object", "properties" => %{"prompt" => @string}, "required" => ["prompt"]},
    "test_elicitation" => %{
      "type" => "object",
      "properties" => %{"message" => @string},
      "required" => ["message"]
    },
    "greet" => %{"type" => "object", "properties" => %{"name" => @string}, "required" => ["name"]},
    "slow_compute" => %{
      "type" => "object",
      "properties" => %{"seconds" => %{"type" => "number"}, "label" => @string}
    },
    "confirm_delete" => %{"type" => "object", "properties" => %{"filename" => @string}},
    "test_mirrored" => %{
      "type" => "object",
      "properties" => %{"region" => %{"type" => "string", "x-mcp-header" => "Region"}},
      "required" => ["region"]
    }
  }

  @names ~w(
    test_simple_text test_image_content test_audio_content test_embedded_resource test_multiple_content_types
    test_tool_with_logging test_tool_with_progress test_error_handling test_sampling test_elicitation
    test_elicitation_sep1034_defaults test_elicitation_sep1330_enums json_schema_2020_12_tool test_missing_capability
    test_input_required_result_elicitation test_input_required_result_sampling test_input_required_result_list_roots
    test_input_required_result_request_state test_input_required_result_multiple_inputs
    test_input_required_result_multi_round test_input_required_result_tampered_state
    test_input_required_result_capabilities test_streaming_elicitation test_logging_tool test_trigger_tool_change
    test_trigger_prompt_change greet slow_compute failing_job protocol_error_job confirm_delete multi_input
    test_tool_with_task test_mirrored
  )

  @impl true
  def list(_server) do
    for name <- @names do
      %{
        "name" => name,
        "description" => "A tool for tests: #{name}",
        "inputSchema" => Map.get(@schemas, name, @none)
      }
    end
  end

  @impl true
  def call(name, args, call, server) do
    if name in @names,
      do: run(name, args, call, server),
      else: {:fault, Fault.invalid_params("there is no tool #{name}")}
  end

  defp run("test_simple_text", _, _, _), do: say("This is a simple text response for testing.")
  defp run("test_image_content", _, _, _), do: content([picture()])

  defp run("test_audio_content", _, _, _),
    do: content([%{"type" => "audio", "data" => audio(), "mimeType" => "audio/wav"}])

  defp run("test_embedded_resource", _, _, _),
    do: content([embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")])

  defp run("test_multiple_content_types", _, _, _) do
    resource = embedded("test://mixed-content-resource", "application/json", ~s({"test":"data","value":123}))
    content([text("Multiple content types test:"), picture(), resource])
  end

  defp run("test_tool_with_logging", _, call, _) do
    for what <- ["started", "processing", "completed"] do
      log(call, "Tool execution #{what}")
      pause()
    end

    say("Tool with logging executed successfully")
  end

  defp run("test_logging_tool", _, call, _) do
    log(call, "Diagnostic trace")
    say("Logging evaluated")
  end

  # What asks for it waits for half a second and no more, also where the machine has much to do.
  defp run("test_streaming_elicitation", _, call, _) do
    if call.progress, do: call.progress.(%{phase: :steps, done: 1, total: 1})
    say("Streaming complete")
  end

  defp run("test_tool_with_progress", _, call, _) do
    for done <- [0, 50, 100] do
      if call.progress, do: call.progress.(%{phase: :steps, done: done, total: 100})
      pause()
    end

    say("Progress was told")
  end

  defp run("test_error_handling", _, _, _), do: failed("This tool intentionally returns an error for testing")

  defp run("test_sampling", %{"prompt" => prompt}, call, _) do
    with_answer(call, "sample", sample(prompt), &say("LLM response: #{said(&1)}"))
  end

  defp run("test_elicitation", %{"message" => message}, call, _) do
    question = elicit(message, %{"response" => @string}, ["response"])
    with_answer(call, "response", question, &say("User response: #{action(&1)}"))
  end

  defp run("test_elicitation_sep1034_defaults", _, call, _) do
    properties = %{
      "name" => %{"type" => "string", "description" => "User name", "default" => "John Doe"},
      "age" => %{"type" => "integer", "description" => "User age", "default" => 30},
      "score" => %{"type" => "number", "description" => "User score", "default" => 95.5},
      "status" => %{"type" => "string", "enum" => ["active", "inactive", "pending"], "default" => "active"},
      "verified" => %{"type" => "boolean", "description" => "Verification status", "default" => true}
    }

    with_answer(
      call,
      "form",
      elicit("Please review", properties, []),
      &say("Elicitation completed: #{action(&1)}")
    )
  end

  defp run("test_elicitation_sep1330_enums", _, call, _) do
    titled = fn words -> for {const, title} <- words, do: %{"const" => const, "title" => title} end
    three = ["option1", "option2", "option3"]
    some = %{"type" => "array", "minItems" => 1, "maxItems" => 3}

    properties = %{
      "untitledSingle" => %{"type" => "string", "enum" => three},
      "titledSingle" => %{
        "type" => "string",
        "oneOf" =>
          titled.([{"value1", "First Option"}, {"value2", "Second Option"}, {"value3", "Third Option"}])
      },
      "legacyEnum" => %{
        "type" => "string",
        "enum" => ["opt1", "opt2", "opt3"],
        "enumNames" => ["Option One", "Option Two", "Option Three"]
      },
      "untitledMulti" => Map.put(some, "items", %{"type" => "string", "enum" => three}),
      "titledMulti" =>
        Map.put(some, "items", %{
          "anyOf" =>
            titled.([{"value1", "First Choice"}, {"value2", "Second Choice"}, {"value3", "Third Choice"}])
        })
    }

    with_answer(
      call,
      "form",
      elicit("Please select", properties, []),
      &say("Elicitation completed: #{action(&1)}")
    )
  end

  defp run("json_schema_2020_12_tool", args, _, _), do: say("called with #{Ambix.JSON.encode!(args)}")

  defp run("test_missing_capability", _, call, _) do
    if Client.can?(call.client, "sampling"),
      do: say("Success"),
      else: {:fault, Fault.missing_capability(%{"sampling" => %{}})}
  end

  defp run("test_input_required_result_elicitation", _, call, _) do
    question = elicit("What is your name?", %{"name" => @string}, ["name"])
    with_answer(call, "user_name", question, &say("Hello, #{value(&1, "name")}!"))
  end

  defp run("test_input_required_result_sampling", _, call, _) do
    question = sample("What is the capital of France?")
    with_answer(call, "capital_question", question, &say("Sampling result: #{said(&1)}"))
  end

  defp run("test_input_required_result_list_roots", _, call, _) do
    with_answer(call, "client_roots", roots(), &say("Found #{length(&1["roots"] || [])} root(s)"))
  end

  defp run("test_input_required_result_request_state", _, call, _) do
    confirmed(call, "state-ok: requestState validated")
  end

  defp run("test_input_required_result_tampered_state", _, call, _) do
    confirmed(call, "integrity-ok: state verified")
  end

  defp run("test_input_required_result_multiple_inputs", _, call, _) do
    questions = %{
      "user_name" => elicit("What is your name?", %{"name" => @string}, ["name"]),
      "greeting" => sample("Say hello"),
      "client_roots" => roots()
    }

    case call.responses do
      %{"user_name" => name, "greeting" => greeting, "client_roots" => roots} ->
        say(
          "Name: #{value(name, "name")}; Greeting: #{said(greeting)}; Roots: #{length(roots["roots"] || [])}"
        )

      _ ->
        {:input, questions, %{"kind" => "multiple-inputs"}}
    end
  end

  defp run("test_input_required_result_multi_round", _, call, _) do
    case {call.state, call.responses} do
      {%{"round" => 1}, %{"step1" => response}} ->
        question = elicit("Step 2: What is your favorite color?", %{"color" => @string}, ["color"])
        {:input, %{"step2" => question}, %{"round" => 2, "name" => value(response, "name")}}

      {%{"round" => 2, "name" => name}, %{"step2" => response}} ->
        say("Multi-round complete for #{name} who likes #{value(response, "color")}")

      _ ->
        question = elicit("Step 1: What is your name?", %{"name" => @string}, ["name"])
        {:input, %{"step1" => question}, %{"round" => 1}}
    end
  end

  defp run("test_input_required_result_capabilities", _, call, _) do
    questions =
      for {capability, key, question} <- [
            {"elicitation", "elicit_input", elicit("Elicitation input", %{"value" => @string}, ["value"])},
            {"sampling", "sample_input", sample("Sample request")}
          ],
          Client.can?(call.client, capability),
          into: %{},
          do: {key, question}

    cond do
      call.responses != %{} -> say("capabilities-ok: received #{Enum.join(Map.keys(call.responses), ",")}")
      questions == %{} -> say("No supported capabilities declared")
      true -> {:input, questions, %{"kind" => "capabilities-test"}}
    end
  end

  defp run("test_trigger_tool_change", _, _, server), do: changed(server, :tools)
  defp run("test_trigger_prompt_change", _, _, server), do: changed(server, :prompts)
  defp run("greet", %{"name" => name}, _, _), do: say("Hello, #{name}!")

  defp run("slow_compute", args, _, _) do
    {:task,
     fn _call ->
       Process.sleep(round((args["seconds"] || 0) * 1000))
       say("computed #{args["label"]}")
     end}
  end

  defp run("failing_job", _, call, _) do
    needs_tasks(call, fn _ ->
      Process.sleep(200)
      failed("the job failed")
    end)
  end

  defp run("protocol_error_job", _, call, _), do: needs_tasks(call, fn _ -> raise "a bug" end)

  defp run("confirm_delete", args, call, _) do
    question = elicit("Delete #{args["filename"]}?", %{"confirm" => %{"type" => "boolean"}}, ["confirm"])

    needs_tasks(call, fn call ->
      with_answer(call, "confirm", question, &say("Deleted: #{value(&1, "confirm")}"))
    end)
  end

  defp run("multi_input", _, call, _) do
    questions = %{
      "first" => elicit("First?", %{"name" => @string}, ["name"]),
      "second" => elicit("Second?", %{"name" => @string}, ["name"])
    }

    needs_tasks(call, fn
      %{responses: %{"first" => a, "second" => b}} -> say("#{value(a, "name")} and #{value(b, "name")}")
      _ -> {:input, questions, nil}
    end)
  end

  defp run("test_tool_with_task", _, call, _) do
    question = elicit("What is your name?", %{"name" => @string}, ["name"])

    with_answer(call, "user_name", question, fn response ->
      {:task, fn _ -> say("Hello from a task, #{value(response, "name")}") end}
    end)
  end

  defp run("test_mirrored", args, _, _), do: say("region #{args["region"]}")

  defp run(name, _, _, _), do: failed("the arguments of #{name} are wrong")

  defp say(text), do: content([text(text)])
  defp content(content), do: {:result, %{"content" => content, "isError" => false}}
  defp failed(text), do: {:result, %{"content" => [text(text)], "isError" => true}}

  defp with_answer(call, key, question, fun) do
    case call.responses do
      %{^key => response} -> fun.(response)
      _ -> {:input, %{key => question}, nil}
    end
  end

  defp confirmed(call, text) do
    case {call.state, call.responses} do
      {%{"kind" => "confirm"}, %{"confirm" => _}} ->
        say(text)

      _ ->
        question = elicit("Please confirm", %{"ok" => %{"type" => "boolean"}}, ["ok"])
        {:input, %{"confirm" => question}, %{"kind" => "confirm"}}
    end
  end

  defp needs_tasks(call, fun),
    do: if(Client.tasks?(call.client), do: {:task, fun}, else: {:fault, Client.no_tasks()})

  defp changed(server, kind) do
    MCP.changed(server, kind)
    say("Mutation triggered")
  end

  defp log(call, text), do: call.log && call.log.("info", text)
  defp pause, do: Process.sleep(50)
  defp value(response, key), do: get_in(response, ["content", key])
  defp said(response), do: get_in(response, ["content", "text"])

  defp action(response),
    do: "action=#{response["action"]}, content=#{Ambix.JSON.encode!(response["content"] || %{})}"
end

defmodule Ambix.Test.MCPFixture.Resources do
  @moduledoc false
  @behaviour Ambix.MCP.Resources

  import Ambix.Test.MCPFixture

  @impl true
  def list(_server) do
    [
      %{"uri" => "test://static-text", "name" => "static-text", "mimeType" => "text/plain"},
      %{"uri" => "test://static-binary", "name" => "static-binary", "mimeType" => "image/png"},
      %{"uri" => "test://watched-resource", "name" => "watched-resource", "mimeType" => "text/plain"}
    ]
  end

  @impl true
  def templates(_server) do
    [%{"uriTemplate" => "test://template/{id}/data", "name" => "template", "mimeType" => "application/json"}]
  end

  @impl true
  def read("test://static-text" = uri, _call, _server),
    do: contents(uri, "text/plain", "text", "This is the content of the static text resource.")

  def read("test://static-binary" = uri, _call, _server), do: contents(uri, "image/png", "blob", image())

  def read("test://watched-resource" = uri, _call, _server),
    do: contents(uri, "text/plain", "text", "watched")

  def read("test://template/" <> rest = uri, _call, _server) do
    case String.split(rest, "/") do
      [id, "data"] ->
        data = %{"id" => id, "templateTest" => true, "data" => "Data for ID: #{id}"}
        contents(uri, "application/json", "text", Ambix.JSON.encode!(data))

      _ ->
        :unknown
    end
  end

  def read(_uri, _call, _server), do: :unknown

  defp contents(uri, type, key, value),
    do: {:result, %{"contents" => [%{"uri" => uri, "mimeType" => type, key => value}]}}
end

defmodule Ambix.Test.MCPFixture.Prompts do
  @moduledoc false
  @behaviour Ambix.MCP.Prompts

  import Ambix.Test.MCPFixture

  @impl true
  def list(_server) do
    [
      %{"name" => "test_simple_prompt", "description" => "A simple prompt without arguments"},
      %{
        "name" => "test_prompt_with_arguments",
        "description" => "A prompt with required arguments",
        "arguments" => [argument("arg1"), argument("arg2")]
      },
      %{
        "name" => "test_prompt_with_embedded_resource",
        "description" => "A prompt that includes an embedded resource",
        "arguments" => [argument("resourceUri")]
      },
      %{"name" => "test_prompt_with_image", "description" => "A prompt that includes image content"},
      %{"name" => "test_input_required_result_prompt", "description" => "A prompt that asks for input"}
    ]
  end

  @impl true
  def get("test_simple_prompt", _, _, _), do: messages([text("This is a simple prompt for testing.")])

  def get("test_prompt_with_arguments", args, _, _),
    do: messages([text("Prompt with arguments: arg1='#{args["arg1"]}', arg2='#{args["arg2"]}'")])

  def get("test_prompt_with_embedded_resource", args, _, _) do
    messages([
      embedded(args["resourceUri"], "text/plain", "Embedded resource content for testing."),
      text("Please process the embedded resource above.")
    ])
  end

  def get("test_prompt_with_image", _, _, _),
    do: messages([picture(), text("Please analyze the image above.")])

  def get("test_input_required_result_prompt", _, call, _) do
    case call.responses do
      %{"user_context" => response} ->
        messages([text("Prompt with context: #{get_in(response, ["content", "context"])}")])

      _ ->
        question =
          elicit("What context should the prompt use?", %{"context" => %{"type" => "string"}}, ["context"])

        {:input, %{"user_context" => question}, nil}
    end
  end

  def get(_name, _args, _call, _server), do: :unknown

  @impl true
  def complete(_ref, _argument, _call, _server),
    do: {:result, %{"completion" => %{"values" => [], "total" => 0, "hasMore" => false}}}

  defp messages(contents),
    do: {:result, %{"messages" => Enum.map(contents, &%{"role" => "user", "content" => &1})}}

  defp argument(name), do: %{"name" => name, "description" => "An argument", "required" => true}
end
