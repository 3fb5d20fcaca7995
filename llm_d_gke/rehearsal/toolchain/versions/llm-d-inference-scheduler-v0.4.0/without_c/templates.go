// Package preprocessing has the names that the picker uses of a Python interpreter. No chat template is rendered here:
// flags and configuration are loaded before that.
package preprocessing

import (
	"context"
	"errors"
)

var errLeftOut = errors.New("built without Python")

type ChatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type RenderJinjaTemplateRequest struct {
	Conversations             []ChatMessage          `json:"messages"`
	Tools                     []interface{}          `json:"tools,omitempty"`
	Documents                 []interface{}          `json:"documents,omitempty"`
	ChatTemplate              string                 `json:"chat_template,omitempty"`
	ReturnAssistantTokensMask bool                   `json:"return_assistant_tokens_mask,omitempty"`
	ContinueFinalMessage      bool                   `json:"continue_final_message,omitempty"`
	AddGenerationPrompt       bool                   `json:"add_generation_prompt,omitempty"`
	ChatTemplateKWArgs        map[string]interface{} `json:"chat_template_kwargs,omitempty"`
}

func (*RenderJinjaTemplateRequest) DeepCopy() (*RenderJinjaTemplateRequest, error) { return nil, errLeftOut }

type RenderJinjaTemplateResponse struct {
	RenderedChats []string `json:"rendered_chats"`
}

type FetchChatTemplateRequest struct {
	Model string `json:"model"`
	Token string `json:"token,omitempty"`
}

type ChatTemplatingProcessor struct{}

func NewChatTemplatingProcessor() *ChatTemplatingProcessor { return &ChatTemplatingProcessor{} }

func (*ChatTemplatingProcessor) Initialize() error { return nil }

func (*ChatTemplatingProcessor) Finalize() {}

func (*ChatTemplatingProcessor) RenderChatTemplate(
	context.Context, *RenderJinjaTemplateRequest,
) (*RenderJinjaTemplateResponse, error) {
	return nil, errLeftOut
}

func (*ChatTemplatingProcessor) FetchChatTemplate(
	context.Context, FetchChatTemplateRequest,
) (string, map[string]interface{}, error) {
	return "", nil, errLeftOut
}
